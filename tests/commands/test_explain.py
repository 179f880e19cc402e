"""``explain.py``: its files, notes and mistakes; in a process of its own and inside this one."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest

from brainage.commands import explain as explain_command
from brainage.commands.bundle import main as bundle
from brainage.runs import job as jobs
from tests.conftest import FAST, every_third, run_command, run_here, train_here

OUTPUTS = ["components.csv", "explanation.json", "figures", "map.csv", "maps.npz", "participants.csv", "report.html"]
# All but 4, 23, 24 and 25.
GOOD = [*range(1, 4), *range(5, 23)]
N_TEST = 4  # of 40 participants
SMALL = ("n_windows=3", "n_steps=4", "report.n_resamples=100")


@dataclass(frozen=True)
class Trained:
    """Runs of a network and a baseline with the same participants."""

    folder: Path

    @property
    def network(self) -> Path:
        return self.folder / "runs" / "0"

    @property
    def baseline(self) -> Path:
        return self.folder / "runs" / "1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("explain")
    for number, model in enumerate(("simple1dcnn", "mean_age")):
        train_here(folder / "runs" / str(number), *FAST, f"model={model}", "report.n_resamples=100")
    return Trained(folder)


Invoke = Callable[..., tuple[int, Path]]


@pytest.fixture
def invoke(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Invoke:
    """Run ``explain.py`` inside this process; return exit code and folder."""
    monkeypatch.chdir(trained.folder)

    def run(*words: str) -> tuple[int, Path]:
        folder = tmp_path / "outputs" / "explain" / "day" / f"now{len(list(tmp_path.rglob('now*')))}"
        return run_here(explain_command.explain, "explain", folder, *words), folder

    return run


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_explain_writes_tables_figures_and_one_page(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = run_command(trained.folder, "explain.py", f"run={trained.network}", *SMALL, f"hydra.run.dir={out}")
    assert ended.code == 0, ended.text
    assert sorted(path.name for path in out.iterdir()) == sorted([*OUTPUTS, "time.csv"])
    assert re.search(r"completeness error of the gradients, 4 steps +\d+\.\d{4} years, at most \d", ended.out)
    assert re.search(r"random weights \(5 draws\), components by occlusion +ρ = -?\d\.\d\d \(", ended.out)
    assert "maps with random weights" in ended.out
    assert f"There are {N_TEST} test participants of the run, fewer than participants=50: all are" in ended.text
    assert [int(row["component"]) for row in read(out / "components.csv")] == GOOD
    assert len(read(out / "map.csv")) == len(GOOD) * 3
    assert len(read(out / "time.csv")) == 3
    assert {path.stem for path in (out / "figures").iterdir()} >= {"components", "component-time"}
    html = (out / "report.html").read_text()
    assert not re.search(r"<(script|svg|link|iframe)", html)
    assert "Do not interpret" in html or "<td>different</td>" in html


@pytest.mark.more
def test_participants_are_rows_without_ids(trained: Trained, invoke: Invoke) -> None:
    code, folder = invoke(f"run={trained.network}", "participants=3", *SMALL)
    assert code == 0
    rows = pd.read_csv(folder / "participants.csv")
    assert rows["row"].tolist() == [1, 2, 3]
    predictions = pd.read_csv(trained.network / "predictions.csv", dtype={"participant_id": str})
    tested = predictions.loc[predictions["split"] == "test", "predicted_age"].to_numpy()
    # Each row is a test participant: its prediction is one of the run's.
    assert all(np.abs(tested - age).min() < 1e-3 for age in rows["predicted_age"])
    with np.load(folder / "maps.npz", allow_pickle=False) as maps:
        assert maps["gradients"].shape == maps["occlusion"].shape == (3, len(GOOD), 3)
        assert maps["components"].tolist() == GOOD
        names = [f"gradients_{component}" for component in GOOD]
        np.testing.assert_allclose(maps["gradients"].sum(axis=2), rows[names], atol=1e-4)
    facts = json.loads((folder / "explanation.json").read_text())
    assert (facts["n_participants"], facts["n_available"]) == (3, N_TEST)
    for path in folder.rglob("*"):
        if path.is_file():
            assert not re.search(rb"sim\d{6}", path.read_bytes()), path.name


@pytest.mark.more
def test_the_seed_decides_which_participants_are_explained(trained: Trained, invoke: Invoke) -> None:
    folders = [invoke(f"run={trained.network}", "rows=all", "participants=2", f"seed={seed}", *SMALL)[1]
               for seed in (1, 1, 2)]  # fmt: skip
    first, same, other = (sorted(pd.read_csv(folder / "participants.csv")["predicted_age"]) for folder in folders)
    assert first == same
    assert first != other


@pytest.mark.more
def test_rows_have_a_new_order_each_time_and_results_have_not(trained: Trained, invoke: Invoke) -> None:
    """The seed is public and the ids are sorted: an order that follows from it tells whose row is whose."""
    words = (f"run={trained.network}", "rows=all", "participants=12", *SMALL)
    folders = [invoke(*words)[1] for _ in range(2)]
    first, other = (pd.read_csv(folder / "participants.csv").drop(columns="row") for folder in folders)
    assert not first.equals(other)  # by chance once in 12! times
    by = "predicted_age"
    pd.testing.assert_frame_equal(*(one.sort_values(by, ignore_index=True) for one in (first, other)))
    for name in ("components.csv", "time.csv", "map.csv"):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1
    for folder, table in zip(folders, (first, other), strict=True):
        maps = np.load(folder / "maps.npz")["gradients"]
        columns = [name for name in table if name.startswith("gradients_")]
        np.testing.assert_allclose(maps.sum(axis=2), table[columns], atol=1e-4)


@pytest.mark.more
def test_participants_of_another_cohort_are_explained(trained: Trained, invoke: Invoke) -> None:
    words = ("cohort=simulated", "cohort.n_participants=12", "cohort.seed=9", "participants=2")
    code, folder = invoke(f"run={trained.network}", *words, *SMALL)
    assert code == 0
    facts = json.loads((folder / "explanation.json").read_text())
    assert (facts["n_participants"], facts["n_available"]) == (2, 12)
    assert facts["people"] == "participants of cohort simulated"


@pytest.mark.more
def test_a_bundle_and_its_run_have_the_same_explanation(trained: Trained, invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    assert bundle(["export", "--run", str(trained.network), "--out", str(out)]) == 0
    words = ("cohort=simulated", "cohort.n_participants=12", "cohort.seed=9", "participants=2", *SMALL)
    tables = []
    for source in (f"run={trained.network}", f"bundle={out}"):
        code, folder = invoke(source, *words)
        assert code == 0
        tables.append((folder / "components.csv").read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.more
def test_a_note_counts_predictions_that_differ_from_those_of_the_run(
    trained: Trained, invoke: Invoke, tmp_path: Path
) -> None:
    run = tmp_path / "moved"
    shutil.copytree(trained.network, run)
    predictions = pd.read_csv(run / "predictions.csv", dtype={"participant_id": str})
    predictions["predicted_age"] += 1
    predictions.to_csv(run / "predictions.csv", index=False)
    code, folder = invoke(f"run={run}", "participants=3", *SMALL)
    assert code == 0
    notes = json.loads((folder / "explanation.json").read_text())["notes"]
    assert any("3 of 3 predictions differ from the run's predictions.csv" in note for note in notes)


@pytest.mark.more
def test_a_missing_store_is_written_into_the_folder_of_the_command_not_of_the_run(
    trained: Trained, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "from_elsewhere"
    shutil.copytree(trained.network, run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub("root: .*store\n", f"root: {tmp_path / 'lost'}\n", config))
    monkeypatch.chdir(tmp_path)
    for words, made in (((), "outputs/store"), ((f"store.root={tmp_path / 'named'}",), "named")):
        code, _ = invoke(f"run={run}", "participants=2", *words, *SMALL)
        assert code == 0
        assert len(list((tmp_path / made).glob("*/series.npy"))) == 1
    assert not (tmp_path / "lost").exists()


@pytest.mark.more
def test_points_none_draws_no_figures_of_single_participants(trained: Trained, invoke: Invoke) -> None:
    code, folder = invoke(f"run={trained.network}", "participants=2", "report.points=none", *SMALL)
    assert code == 0
    assert {path.stem for path in (folder / "figures").iterdir()} == {"components", "component-time", "time"}


@pytest.mark.more
def test_maps_are_compared_with_shuffled_ages_and_other_trainings(
    trained: Trained, invoke: Invoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = train_here(tmp_path / "multirun" / "3", *FAST, "model=simple1dcnn", "seed=7", "report.n_resamples=100")
    shutil.copytree(trained.network, tmp_path / "multirun" / "0")
    words = (f"run={tmp_path / 'multirun' / '0'}", f"other_runs={other.parent}", "shuffled_epochs=2", *SMALL)
    code, folder = invoke(*words)
    assert code == 0
    out = capsys.readouterr().out
    facts = json.loads((folder / "explanation.json").read_text())
    assert facts["shuffled_ages"]["epochs"] == 2 and facts["other_trainings"]["n_draws"] == 1
    for name, key in (("shuffled ages (2 epochs)", "shuffled_ages"), ("other trainings (1)", "other_trainings")):
        found = facts[key]["occlusion"]["mean"]
        assert -1 <= found < 1 and re.search(rf"{re.escape(name)}, components by occlusion +ρ = {found:.2f}\n", out)
    page = (folder / "report.html").read_text()
    assert "each with the age of another" in page and "Rank correlation with another training: " in page
    metrics = pd.read_csv(folder / "shuffled_ages" / "metrics.csv")
    assert len(metrics) == 2 and not list(trained.network.rglob("shuffled_ages"))
    # Repeated in its folder, it trains no epoch again, and its numbers are the same.
    before = (folder / "shuffled_ages" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert run_here(explain_command.explain, "explain", folder, *words) == 0
    assert (folder / "shuffled_ages" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    again = json.loads((folder / "explanation.json").read_text())
    assert {key: again[key] for key in ("shuffled_ages", "other_trainings")} == {
        key: facts[key] for key in ("shuffled_ages", "other_trainings")
    }
    code, folder = invoke(*words[:1], f"other_runs={trained.baseline}", *SMALL)
    assert code == 2 and "baseline mean_age" in capsys.readouterr().err


def test_a_mistake_gives_one_message_and_no_folder(
    trained: Trained, invoke: Invoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = f"run={trained.network}"
    exported = tmp_path / "bundle"
    assert bundle(["export", "--run", str(trained.network), "--out", str(exported)]) == 0
    capsys.readouterr()
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_bytes((trained.network / "config.yaml").read_bytes())
    cases = [
        ((), r"`run` or `bundle` must be given, one of them"),
        ((run, "bundle=B"), r"`run` or `bundle` must be given, one of them"),
        (("bundle=B",), r"`cohort` must be given with a bundle"),
        ((f"run={tmp_path / 'none'}",), r"must be the folder of a finished run, .* does not exist"),
        ((f"run={unfinished}",), r"has no `summary.json`"),
        ((f"run={trained.baseline}",), r"must be the run of a network, but it is one of the baseline mean_age"),
        ((f"run={exported}",), r"is a bundle, which contains no participants"),
        ((run, "participants=0"), r"`participants` must be 1 or more, but got 0"),
        ((run, "n_steps=1"), r"`n_steps` must be 2 or more, but got 1"),
        ((run, "n_windows=0"), r"`n_windows` must be 1 or more, but got 0"),
        ((run, "n_windows=491"), r"`n_windows` must be from 1 to 490.*but got 491"),
        ((run, "rows=tests"), r"`rows` got 'tests'.*Did you mean `test`"),
        ((run, "rows=all", "cohort=simulated"), r"`rows` must be left out with cohort=\.\.\."),
        ((run, "report.points=some"), r"`report.points` got 'some'"),
        ((run, "seed=-1"), r"`seed` must be 0 or more"),
        ((run, "shuffled_epochs=3", "cohort=simulated"), r"`shuffled_epochs` must be 0 with cohort=\.\.\..*own"),
        ((run, f"other_runs={trained.network}"), r"`other_runs=.*besides the explained one, but there is none"),
    ]
    for words, message in cases:
        code, folder = invoke(*words)
        said = capsys.readouterr().err
        assert code == 2, (words, said)
        assert re.search(message, said, re.S), (words, said)
        assert said.count("error:") == 1
        assert not folder.exists()


def write_atlas(path: Path, n: int = 25) -> Path:
    """Write labels 1 to n, each in two voxels."""
    data = np.repeat(np.arange(1, n + 1, dtype=np.int16), 2)[:, None, None]
    nibabel.save(nibabel.Nifti1Image(data, np.diag([4.0, 4.0, 4.0, 1.0])), path)  # type: ignore[no-untyped-call]
    return path


@pytest.fixture
def atlas_run(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the run, whose modality has an atlas."""
    run = Path(shutil.copytree(trained.network, tmp_path / "run"))
    config = (run / "config.yaml").read_text()
    assert "  atlas: null\n" in config
    (run / "config.yaml").write_text(
        config.replace("  atlas: null\n", f"  atlas: {write_atlas(tmp_path / 'own.nii')}\n")
    )
    return run


@pytest.mark.more
@pytest.mark.parametrize("given", [False, True], ids=["of the modality", "of the command line"])
def test_effects_are_painted_into_the_atlas(given: bool, atlas_run: Path, invoke: Invoke, tmp_path: Path) -> None:
    if given:
        (tmp_path / "own.nii").rename(tmp_path / "moved.nii")
    code, folder = invoke(f"run={atlas_run}", *SMALL, *([f"atlas={tmp_path / 'moved.nii'}"] if given else []))
    assert code == 0
    painted = nibabel.load(folder / "brain.nii.gz").get_fdata()[:, 0, 0]
    rows = {int(row["component"]): row for row in read(folder / "components.csv")}
    assert painted.shape == (50, 4)
    for channel in range(1, 26):
        names = ("occlusion_spread", "occlusion_mean", "gradients_spread", "gradients_mean")
        expected = [float(rows[channel][name]) for name in names] if channel in rows else [0.0] * 4
        np.testing.assert_allclose(painted[2 * channel - 2 : 2 * channel], [expected] * 2, rtol=1e-5)
    page = (folder / "report.html").read_text()
    assert "In the brain" in page and "No picture of the brain" not in page


@pytest.mark.parametrize(
    ("change", "fact"),
    every_third(
        [
            (lambda own: own.unlink(), "must be a NIfTI file .* No such file"),
            (lambda own: own.rename(own.with_name("b.nii")) and own.symlink_to("b.nii"), "own.nii is a link"),
            (lambda own: write_atlas(own, 21), "each of the 25 channels .* but has 21 labels"),
        ]
    ),
    ids=["gone", "a link", "of other channels"],
)
@pytest.mark.more
def test_the_atlas_of_a_run_that_cannot_be_used_is_a_note(
    change: Callable[[Path], object], fact: str, atlas_run: Path, invoke: Invoke, tmp_path: Path
) -> None:
    change(tmp_path / "own.nii")
    code, folder = invoke(f"run={atlas_run}", *SMALL, "participants=2")
    assert code == 0
    notes = json.loads((folder / "explanation.json").read_text())["notes"]
    assert any(
        re.search(rf"No picture of the brain: `modality.atlas=.*{fact}.*Give it with atlas=FILE", note)
        for note in notes
    )
    assert not (folder / "brain.nii.gz").exists()


def test_an_atlas_that_is_named_is_used_or_is_a_mistake(
    trained: Trained, invoke: Invoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, folder = invoke(f"run={trained.network}", *SMALL, f"atlas={write_atlas(tmp_path / 'a.nii', 21)}")
    assert code == 2 and not folder.exists()
    assert re.search(r"`atlas=.*a.nii` must have one label .* 25 channels .* has 21 labels", capsys.readouterr().err)


@pytest.mark.more
def test_nothing_is_fetched_because_a_run_says_so(
    atlas_run: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = (atlas_run / "config.yaml").read_text()
    (atlas_run / "config.yaml").write_text(re.sub(r"  atlas: .*\n", "  atlas: msdl\n", config))
    code, folder = invoke(f"run={atlas_run}", *SMALL, "participants=2")
    assert code == 0
    notes = json.loads((folder / "explanation.json").read_text())["notes"]
    assert "No picture of the brain: atlas=msdl lets nilearn download its atlas, once." in notes


@pytest.mark.more
def test_an_atlas_is_fetched_by_nilearn_for_the_number_of_channels(
    trained: Trained,
    invoke: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Any] = []

    def fetch(dimension: int, verbose: int) -> SimpleNamespace:
        asked.append(dimension)
        return SimpleNamespace(maps=str(write_atlas(tmp_path / "fetched.nii", dimension)))

    def fail(**given: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr("nilearn.datasets.fetch_atlas_difumo", fetch)
    monkeypatch.setattr("nilearn.datasets.fetch_atlas_aal", fail)
    code, folder = invoke(f"run={trained.network}", *SMALL, "atlas=difumo")
    assert code == 0 and asked == [25] and (folder / "brain.nii.gz").exists()
    code, folder = invoke(f"run={trained.network}", *SMALL, "atlas=aal")
    assert code == 2 and not folder.exists()
    assert (
        "`atlas=aal` must be fetched by nilearn for 25 channels, but that failed: no network."
        in capsys.readouterr().err
    )


def test_an_atlas_of_other_channels_is_a_mistake_before_training_and_no_new_store(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*FAST, "evaluate=false", f"store.root={trained.folder / 'runs' / 'store'}")
    wrong = write_atlas(tmp_path / "wrong.nii", 3)
    assert run_here(jobs.run_job, "train", tmp_path / "one", *words, f"modality.atlas={wrong}") == 2
    assert "`modality.atlas=" in capsys.readouterr().err
    atlas = write_atlas(tmp_path / "atlas.nii")
    assert run_here(jobs.run_job, "train", tmp_path / "two", *words, f"modality.atlas={atlas}") == 0
    assert len([path for path in (trained.folder / "runs" / "store").iterdir() if path.is_dir()]) == 1
    assert (
        run_here(
            jobs.run_job,
            "train",
            tmp_path / "two",
            f"resume={tmp_path / 'two'}",
            "modality.atlas=null",
            "trainer.max_epochs=2",
            words[-1],
        )
        == 0
    )
    assert "atlas: null" in (tmp_path / "two" / "config.yaml").read_text()
    assert bundle(["export", "--run", str(trained.network), "--out", str(tmp_path / "bundle")]) == 0
    assert "atlas" not in (tmp_path / "bundle" / "config.yaml").read_text()
