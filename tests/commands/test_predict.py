"""``predict.py``: its files, notes and mistakes; in a process of its own and inside this one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.commands import predict as predict_command
from brainage.commands.bundle import main as bundle
from brainage.commands.simulate import main as write_files
from tests.conftest import run_command, run_here, train_here

TRAINED, NEW = 250, 60
SMALL = (
    f"cohort.n_participants={TRAINED}", "model=variable1dcnn", "model.start_out=4", "trainer.max_epochs=2",
    "batch_size=32", "report.n_resamples=100", "split.train_fraction=0.5", "split.val_fraction=0.4",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Folder of a run, its bundle, and new participants in two layouts."""

    folder: Path

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("predict")
    train_here(folder / "runs" / "0", *SMALL, "seed=1")
    for layout in ("bids", "ukb"):
        out = ["--layout", layout, "--out", str(folder / layout), "--participants", str(NEW), "--seed", "7"]
        assert write_files(out) == 0
    rename_participants(folder / "bids")
    assert bundle(["export", "--run", str(folder / "runs" / "0"), "--out", str(folder / "bundle")]) == 0
    return Place(folder)


def rename_participants(root: Path) -> None:
    """Rename the participants: no id is one of a training participant."""
    table = root / "participants.tsv"
    table.write_text(table.read_text().replace("sim000", "new000"))
    for path in sorted(root.rglob("*sim000*"), reverse=True):
        path.rename(path.with_name(path.name.replace("sim000", "new000")))


Predict = Callable[..., Path]


@pytest.fixture
def predict(place: Place, tmp_path: Path, undrawn: None) -> Predict:
    """Predict inside this process; return the folder."""

    def run(*overrides: str) -> Path:
        words = [f"store.root={place['store']}", "device=cpu", "report.n_resamples=100", *overrides]
        folder = tmp_path / "out" / str(len(list(tmp_path.glob("out/*"))))
        if (code := run_here(predict_command.predict, "predict", folder, *words)) != 0:
            raise SystemExit(code)
        return folder

    return run


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "predictions.csv", dtype={"participant_id": str})


def bids(place: Place) -> tuple[str, str]:
    return "cohort=bids", f"cohort.root={place['bids']}"


def test_predict_writes_the_predictions_and_findings_of_new_participants(place: Place) -> None:
    ended = run_command(place.folder, "predict.py", "run=runs/0", "cohort=bids", "cohort.root=bids")
    assert ended.code == 0, ended.text
    assert f"{NEW}, {NEW} of known age" in ended.out
    assert "Accuracy of raw predictions" in ended.out
    (folder,) = place.folder.glob("outputs/predict/*/*")
    left = {path.name for path in folder.iterdir()}
    expected = {"predictions.csv", "exclusions.csv", "associations.csv", "gap.csv", "findings.json", "report.html"}
    assert expected <= left
    people = table(folder)
    assert list(people) == [
        "participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", "predicted_age_low",
        "predicted_age_high",
    ]  # fmt: skip
    assert len(people) == NEW
    assert (people["predicted_age_low"] < people["predicted_age"]).all()
    assert people["split"].isna().all()
    assert np.allclose(people["bag"], people["predicted_age"] - people["age"])


def test_a_mistake_gives_one_message_and_no_folder(place: Place, tmp_path: Path) -> None:
    ended = run_command(tmp_path, "predict.py", f"run={place['runs/0']}", "bundle=b", "cohort=simulated")
    assert ended.code == 2
    assert ended.err.startswith("error: `run` or `runs` or `bundle` must be given, one of them, but got run=")
    assert not list(tmp_path.glob("outputs/predict/*/*"))


def test_participants_of_the_run_get_the_predictions_of_the_run(place: Place, predict: Predict) -> None:
    folder = predict(f"run={place['runs/0']}", "cohort=simulated", f"cohort.n_participants={TRAINED}")
    known = table(Path(place["runs/0"])).set_index("participant_id").sort_index()
    found = table(folder).set_index("participant_id").sort_index()
    assert (found["split"] == known["split"]).all()
    np.testing.assert_allclose(found["predicted_age"], known["predicted_age"], rtol=1e-5)
    test = known["split"] == "test"
    np.testing.assert_allclose(found["bag_corrected"][test], known["bag_corrected"][test], atol=1e-3)
    record = json.loads((folder / "prediction.json").read_text())
    assert record["n_learned_from"] == int((~test).sum())
    accuracy = json.loads((folder / "findings.json").read_text())["accuracy"]
    assert accuracy["n"] == int(test.sum())  # training and validation participants are not in the statistics


@pytest.mark.more
def test_match_ids_false_ignores_ids_of_the_training_participants(place: Place, predict: Predict) -> None:
    words = (f"run={place['runs/0']}", "cohort=simulated", "cohort.n_participants=30", "cohort.seed=9")
    assert table(predict(*words))["split"].notna().all()
    assert table(predict(*words, "match_ids=false"))["split"].isna().all()


@pytest.mark.more
def test_the_correction_is_fitted_on_validation_participants_of_the_run(place: Place, predict: Predict) -> None:
    people = table(predict(f"bundle={place['bundle']}", *bids(place)))
    validation = table(Path(place["runs/0"]))
    validation = validation[validation["split"] == "val"]
    slope, intercept = np.polyfit(validation["age"], validation["bag"], 1)
    expected = people["bag"] - (intercept + slope * people["age"])
    np.testing.assert_allclose(people["bag_corrected"], expected, atol=1e-6)
    in_sample = table(predict(f"bundle={place['bundle']}", *bids(place), "gap_correction=in_sample"))
    assert abs(np.polyfit(in_sample["age"], in_sample["bag_corrected"], 1)[0]) < 1e-9
    assert "bag_corrected" not in table(predict(f"bundle={place['bundle']}", *bids(place), "gap_correction=none"))


def test_a_bundle_predicts_the_same_ages_as_its_run(place: Place, predict: Predict) -> None:
    with_run = predict(f"run={place['runs/0']}", *bids(place))
    with_bundle = predict(f"bundle={place['bundle']}", *bids(place))
    pd.testing.assert_frame_equal(table(with_run), table(with_bundle))
    said = "whether its network was trained on participants here is unknown"
    assert [said in (folder / "report.html").read_text() for folder in (with_run, with_bundle)] == [False, True]


@pytest.mark.more
def test_several_runs_predict_their_mean_and_sample_sd(place: Place, predict: Predict) -> None:
    train_here(place.folder / "runs" / "1", *SMALL, "seed=2", f"store.root={place['runs/store']}")
    alone = [table(predict(f"run={place[f'runs/{number}']}", *bids(place))) for number in (0, 1)]
    together = table(predict(f"runs=[{place['runs/0']},{place['runs/1']}]", *bids(place)))
    both = np.stack([one["predicted_age"] for one in alone], axis=1)
    np.testing.assert_allclose(together["predicted_age"], both.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(together["predicted_age_sd"], both.std(axis=1, ddof=1), atol=1e-5)
    corrected = np.mean([one["bag_corrected"] for one in alone], axis=0)
    np.testing.assert_allclose(together["bag_corrected"], corrected, atol=1e-5)
    pd.testing.assert_frame_equal(together, table(predict(f"runs={place['runs']}", *bids(place))))


@pytest.mark.more
def test_participants_of_unknown_age_are_predicted(place: Place, predict: Predict, tmp_path: Path) -> None:
    with_ages = table(predict(f"run={place['runs/0']}", *bids(place))).set_index("participant_id")
    everything = pd.read_csv(f"{place['bids']}/participants.tsv", sep="\t", dtype=str)
    everything.drop(columns="age").to_csv(tmp_path / "ageless.tsv", sep="\t", index=False)
    some = everything.assign(age=everything["age"].where(everything.index < 30, "n/a"))
    some.to_csv(tmp_path / "some.tsv", sep="\t", index=False)
    everything[["participant_id"]].to_csv(tmp_path / "ids.tsv", sep="\t", index=False)
    for name, n_aged in (("ageless.tsv", 0), ("ids.tsv", 0), ("some.tsv", 30)):
        folder = predict(f"run={place['runs/0']}", *bids(place), f"cohort.phenotypes={tmp_path / name}")
        people = table(folder).set_index("participant_id")
        assert people["age"].notna().sum() == people["bag"].notna().sum() == n_aged
        np.testing.assert_allclose(people["predicted_age"], with_ages["predicted_age"], rtol=1e-6)
        assert (folder / "report.html").is_file()
        assert (folder / "findings.json").exists() == (n_aged > 0)


@pytest.mark.more
@pytest.mark.parametrize("layout", ["bids", "ukb"])
def test_participants_without_a_phenotype_table_are_predicted(layout: str, place: Place, predict: Predict) -> None:
    hidden = Path(place["bids"]) / "participants.tsv"
    words = (
        bids(place)
        if layout == "bids"
        else ("cohort=ukb", f"cohort.root={place['ukb/bulk']}", "cohort.phenotypes=null")
    )
    with_table = [*words[:2], *([f"cohort.phenotypes={place['ukb/phenotypes.csv']}"] if layout == "ukb" else [])]
    known = table(predict(f"bundle={place['bundle']}", *with_table))
    try:
        hidden.rename(hidden.with_suffix(".hidden"))
        found = table(predict(f"bundle={place['bundle']}", *words))
    finally:
        hidden.with_suffix(".hidden").rename(hidden)
    assert found["age"].isna().all()
    columns = ["participant_id", "predicted_age"]
    pd.testing.assert_frame_equal(found[columns], known[columns])


@pytest.mark.more
def test_notes_report_ages_and_series_outside_the_training_range(
    place: Place, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = pd.read_csv(f"{place['bids']}/participants.tsv", sep="\t")
    everything["age"] = everything["age"].where(everything.index >= 4, 99.0)
    everything.to_csv(tmp_path / "old.tsv", sep="\t", index=False)
    root = tmp_path / "noise"
    rng = np.random.default_rng(3)
    for name in everything["participant_id"]:
        participant = str(name).removeprefix("sub-")
        path = root / f"sub-{participant}" / f"sub-{participant}_25.txt"
        path.parent.mkdir(parents=True)
        np.savetxt(path, rng.standard_normal((490, 25)), fmt="%.4f")
    pattern = "cohort.pattern='sub-{participant_id}/sub-{participant_id}_{dimension}.txt'"
    folder = predict(
        f"run={place['runs/0']}",
        "cohort=bids",
        f"cohort.root={root}",
        pattern,
        f"cohort.phenotypes={tmp_path / 'old.tsv'}",
    )
    notes = json.loads((folder / "prediction.json").read_text())["notes"]
    assert any(re.match(r"\d+ of 60 known ages are outside \d\d(\.\d)? to \d\d(\.\d)? years", note) for note in notes)
    assert any(
        note.startswith("60 of 60 participants' series are outside") and "autocorrelation" in note for note in notes
    )
    assert "60 of 60 participants' series are outside" in capsys.readouterr().out
    assert "of 60 known ages" in (folder / "report.html").read_text()


def test_participants_with_an_unreadable_series_are_excluded(place: Place, predict: Predict, tmp_path: Path) -> None:
    root = tmp_path / "broken"
    for path in sorted(Path(place["bids"]).rglob("*-ica-25.txt"))[:40]:
        target = root / path.relative_to(place["bids"])
        target.parent.mkdir(parents=True)
        target.write_bytes(path.read_bytes())
    for path in sorted(root.rglob("*-ica-25.txt"))[:3]:
        path.write_text("nothing\n")
    words = (f"run={place['runs/0']}", "cohort=bids", f"cohort.root={root}")
    folder = predict(*words, "cohort.max_excluded_fraction=0.1")
    excluded = pd.read_csv(folder / "exclusions.csv")
    assert len(excluded) == 3
    assert len(table(folder)) == 37
    with pytest.raises(SystemExit) as end:
        predict(*words, "cohort.max_excluded_fraction=0")
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run=nowhere", "cohort=simulated"], "`run=nowhere` must be the folder of a finished run"),
        (
            ["bundle=nowhere", "cohort=simulated"],
            "`bundle=nowhere` must be a bundle, which contains `bundle.json`, but it does not exist",
        ),
        (["run={runs/0}"], "`cohort` must be given"),
        (["run={runs/0}", "cohort=simulated", "gap_correction=cole"], "`gap_correction` got 'cole'"),
        (["run={runs/0}", "cohort=simulated", "n_times=300"], "`n_times` must be 490 for `run="),
        (["run={runs/0}", "cohort=simulated", "batch_size=0"], "`batch_size` must be 1 or more"),
        (["run={runs/0}", "cohort=simulated", "device=abacus"], "`device` must be one that this machine has"),
        (["runs=[{runs/0}]", "cohort=simulated"], "`runs` must name at least two finished runs"),
        (["run={runs/0}", "cohort=bids", "cohort.root=nowhere"], "`cohort.root` must be a folder"),
        (
            ["bundle={bundle}", "cohort=bids", "cohort.root={bids}", "associations.variables=[nothing]"],
            "`associations.variables`",
        ),
    ],
)
def test_a_mistake_names_the_key_and_the_value(
    words: list[str], message: str, place: Place, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Names(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return place[key]

    with pytest.raises(SystemExit) as end:
        predict(*(word.format_map(Names()) for word in words))
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))


def test_a_baseline_is_refused(place: Place, predict: Predict, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = train_here(Path(place["baseline"]), "model=mean_age", "cohort.n_participants=60")
    with pytest.raises(SystemExit):
        predict(f"run={baseline}", "cohort=simulated")
    assert "must be the run of a network, but it is one of the baseline mean_age" in capsys.readouterr().err
