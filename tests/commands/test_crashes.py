"""A crash while participants are read, in our own code or a library's, names none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from brainage.commands import store
from brainage.commands.explain import explain
from brainage.commands.predict import predict
from brainage.commands.simulate import main
from tests.conftest import every_third, run_here, train_here

SMALL = ("model.depth=1", "model.start_out=2", "batch_size=16", "trainer.max_epochs=1", "report.n_resamples=100")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a UK Biobank of planted ids, and a run on them."""
    folder = tmp_path_factory.mktemp("crashes")
    assert main(["--layout", "ukb", "--out", str(folder / "data"), "--participants", "40"]) == 0
    train_here(folder / "run", "cohort=ukb", *cohort(folder), *SMALL)
    return folder


def cohort(folder: Path) -> tuple[str, str]:
    return f"cohort.root={folder}/data/bulk", f"cohort.phenotypes={folder}/data/phenotypes.csv"


def crash(value: Any, *arguments: Any, **options: Any) -> None:
    """Fail as a library would that quotes what it was given."""
    text = value.to_csv() if isinstance(value, pd.DataFrame) else repr(value)
    raise KeyError(f"{text} sub-900_{text}")


@pytest.mark.parametrize(
    "where",
    every_third(
        [
            "brainage.data.cohorts.tables._check_encoding",
            "brainage.data.cohorts.select.usable_rows",
            "brainage.data.participants.participants_of",
            "brainage.data.store.layout.map_store",
            "brainage.runs.predictions_table._check_rows",
        ]
    ),
)
@pytest.mark.parametrize("command", [predict, explain], ids=["predict", "explain"])
def test_a_traceback_names_no_participant(
    command: Callable[..., object],
    where: str,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ids = pd.read_csv(place / "data" / "phenotypes.csv", dtype="str")["eid"]
    monkeypatch.setattr("brainage.system.redaction._registered", set())
    if where.endswith("map_store"):
        monkeypatch.setattr(where, lambda folder, index: crash(index["stamps"]))
    else:
        monkeypatch.setattr(where, crash)
    own = ("cohort=ukb", *cohort(place)) if command is predict else ()
    words = (f"run={place / 'run'}", f"store.root={place / 'store'}", *own)
    assert run_here(command, command.__name__, tmp_path / "out", *words) == 1
    said = capsys.readouterr()
    text = caplog.text + said.out + said.err
    assert "KeyError" in text and "<participant>" in text
    assert not [one for one in ids if one in text]


def test_a_crash_of_the_stores_command_names_no_participant(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("brainage.system.redaction._registered", set())
    monkeypatch.setattr("brainage.commands.store.withdraw", lambda root, outputs, ids, **options: crash(ids))
    (tmp_path / "withdrawn").write_text("9000003\n9000004\n")
    assert store.main(["purge", "--ids", str(tmp_path / "withdrawn"), "--root", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "KeyError" in err and "<participant>" in err
    assert "9000003" not in err and "9000004" not in err
