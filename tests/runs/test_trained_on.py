"""Runs whose data were moved, or lost participants, since they were trained."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from brainage.commands.explain import explain
from brainage.commands.report import report
from brainage.commands.simulate import main
from brainage.runs.trained_on import trained_on
from tests.conftest import run_command, run_here, train_here

WORDS = ("cohort=ukb", "model.depth=1", "model.start_out=2", "batch_size=16", "report.n_resamples=100",
         "scheduler=none")  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data, ``data``, a run of two epochs on them, ``run``, and their ``store``."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["--layout", "ukb", "--out", "data", "--participants", "60"]) == 0
        train_here(folder / "run", *WORDS, *at("data"), "trainer.max_epochs=2", "store.root=store")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a copy of the data, their store and the run."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def at(folder: str) -> tuple[str, ...]:
    return f"cohort.root={folder}/bulk", f"cohort.phenotypes={folder}/phenotypes.csv"


def resume(*words: str) -> Path:
    return train_here(Path.cwd() / "run", "resume=run", *(f"++{word}" for word in words), "trainer.max_epochs=3")


def summary() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path("run/summary.json").read_text())
    return values


@pytest.mark.more
def test_a_run_is_resumed_where_its_data_are_now(place: Path) -> None:
    train_here(place / "plain", *WORDS, *at("data"), "trainer.max_epochs=3")
    shutil.copytree("data", "moved")  # with other times: another store
    shutil.rmtree("data")
    resume(*at("moved"))
    assert Path("run/predictions.csv").read_bytes() == Path("plain/predictions.csv").read_bytes()
    weights = [torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in ("run", "plain")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[1])
    assert "root: moved/bulk" in Path("run/config.yaml").read_text()
    assert summary()["epochs"] == 3


def change_series(bulk: Path) -> None:
    one, other = sorted(bulk.glob("*.zip"))[:2]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("ages", r"but 2 of \d+ participants have another age\. Name"),
        ("series", r"but 2 of \d+ participants have other series\. Name"),
        ("rows", r"but 3 of \d+ participants are missing \(they have no row, no age or no usable file\)\. Name"),
    ],
)
def test_other_data_are_refused_with_what_differs(
    harm: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file() and path.suffix != ".log"}
    table = pd.read_csv("data/phenotypes.csv", dtype={"eid": "str"})
    known = trained_on(Path("run"))
    assert known is not None
    if harm == "ages":
        table.loc[table["eid"].isin(known["participant_id"][:2]), "21003-2.0"] += 1
    elif harm == "rows":
        table = table[~table["eid"].isin(known["participant_id"][5:8])]
    else:
        change_series(Path("data/bulk"))
    table.to_csv("data/other.csv", index=False)
    with pytest.raises(AssertionError):
        resume("cohort.phenotypes=data/other.csv")
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not any(one in error for one in known["participant_id"])
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("cohort.root=[a]", "`cohort.root` cannot be"),
        ("cohort.phenotypes=[]", "`cohort.phenotypes` must be a file or a list of files"),
        ("cohort.root=nowhere", "`cohort.root` must be a folder, but `nowhere` is none"),
    ],
)
def test_values_that_cannot_be_given_again_are_refused(
    word: str, message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        resume(word)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.more
def test_the_split_of_others_stays_where_participants_withdrew(place: Path) -> None:
    first = pd.read_csv("run/splits.csv", dtype="str").set_index("participant_id")["split"]
    gone = [first.index[first == part][0] for part in ("train", "val", "test")]
    Path("withdrawn").write_text("\n".join(gone))
    table = pd.read_csv("data/phenotypes.csv", dtype={"eid": "str"})
    table[~table["eid"].isin(gone[:2])].to_csv("data/without.csv", index=False)  # another draw
    resume("cohort.phenotypes=data/without.csv", "cohort.exclude_ids=withdrawn")
    now = pd.read_csv("run/splits.csv", dtype="str").set_index("participant_id")["split"]
    pd.testing.assert_series_equal(now, first.drop(gone))
    assert summary()["epochs"] == 3
    assert "exclude_ids: withdrawn" in Path("run/config.yaml").read_text()
    for path in Path("run").rglob("*"):
        assert not path.is_file() or not any(one.encode() in path.read_bytes() for one in gone), path
    train_here(place / "run", "resume=run", "trainer.max_epochs=4")  # now they are known to be gone
    assert summary()["epochs"] == 4


def report_here(*words: str) -> int:
    return run_here(report, "report", Path.cwd() / "reported", "run=run", *(f"++{word}" for word in words))


@pytest.mark.more
def test_a_report_reads_the_data_where_they_are_now(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data").rename("moved")
    assert report_here("report.n_resamples=100") == 0
    said = capsys.readouterr()
    assert "cannot be read any more" in said.out + said.err and "cohort.root=DIR" in said.out + said.err
    assert "no phenotypes" not in said.out + said.err
    assert report_here(*at("moved"), "associations.rows=all", "report.n_resamples=100") == 0
    assert len(pd.read_csv("reported/associations.csv")) == 8
    assert Path("run/config.yaml").read_text().count("moved") == 0


@pytest.mark.more
def test_the_commands_take_what_is_given_again(place: Path) -> None:
    first = pd.read_csv("run/splits.csv", dtype="str")
    Path("withdrawn").write_text(first["participant_id"][0])
    Path("data").rename("moved")
    for words in (
        ("train.py", "resume=run", "trainer.max_epochs=3", "store.root=store"),
        ("report.py", "run=run", "report.n_resamples=100"),
        ("predict.py", "run=run", "cohort=ukb", "report.n_resamples=100", "hydra.run.dir=predicted"),
        ("explain.py", "run=run", "rows=all", "n_windows=1", "n_steps=2", "report.n_resamples=100"),
    ):
        ended = run_command(place, *words, *at("moved"), "cohort.exclude_ids=withdrawn")
        assert ended.code == 0, ended.text
    for name in ("run", "predicted"):
        assert len(pd.read_csv(f"{name}/predictions.csv")) == len(first) - 1


def test_a_report_on_other_data_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv("data/phenotypes.csv", dtype={"eid": "str"})
    table["21003-2.0"] += 1
    table.iloc[3:].to_csv("data/other.csv", index=False)
    assert report_here("cohort.phenotypes=data/other.csv") == 2
    assert re.search(r"`cohort` must .*3 of 60 .* missing .*57 of 60 .* another age", capsys.readouterr().err)
    change_series(Path("data/bulk"))
    train_here(Path.cwd() / "rewritten", *WORDS, *at("data"), "trainer.max_epochs=1")  # makes the store
    assert report_here(*at("data")) == 2
    assert "2 of 60 participants have other series" in capsys.readouterr().err
    assert report_here("cohort.instance=3") == 2
    assert "`cohort.instance` must be as in the run's config" in capsys.readouterr().err


def test_a_report_is_without_those_who_withdrew(place: Path) -> None:
    predictions = pd.read_csv("run/predictions.csv", dtype={"participant_id": "str"})
    gone = predictions["participant_id"][[0, 7]]
    Path("withdrawn").write_text("\n".join(gone))
    assert report_here("cohort.exclude_ids=withdrawn", "report.n_resamples=100") == 0
    now = pd.read_csv("reported/predictions.csv", dtype={"participant_id": "str"})
    assert set(predictions["participant_id"]) - set(now["participant_id"]) == set(gone)


@pytest.mark.more
def test_explanations_are_without_those_who_withdrew_and_read_data_where_they_are_now(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = trained_on(Path("run"))
    assert test is not None
    Path("withdrawn").write_text("\n".join(test.loc[test["split"] == "test", "participant_id"].head(2)))
    Path("data").rename("moved")
    words = ("run=run", "participants=9", "n_windows=1", "n_steps=2", "report.n_resamples=100")
    again = (*at("moved"), "cohort.exclude_ids=withdrawn")
    assert run_here(explain, "explain", Path("explained").absolute(), *words, *(f"++{word}" for word in again)) == 0
    assert json.loads(Path("explained/explanation.json").read_text())["n_available"] == 4
    change_series(Path("moved/bulk"))
    capsys.readouterr()
    assert (
        run_here(explain, "explain", Path("explained").absolute(), *words, *(f"++{word}" for word in at("moved"))) == 2
    )
    assert "`cohort` must name the data of the run" in capsys.readouterr().err
