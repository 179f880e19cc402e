"""Runs as Hydra calls them: a damaged store, pruning, and a run without evaluation."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainage.commands.simulate import main as write_files
from brainage.data.store.checked import check_series
from brainage.data.store.reading import Reading
from brainage.runs import fit, prepare
from brainage.training.pruning import trial
from tests.conftest import FAST


@pytest.mark.more
def test_a_rebuilt_store_gives_each_participant_the_right_series(
    tmp_path: Path, run_job: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store turns out to be damaged, and meanwhile another participant's file has become unreadable."""
    tree = tmp_path / "tree"
    write_files(["--layout", "bids", "--out", str(tree), "--participants", "40"])
    files = {path.name.split("_")[0][4:]: path for path in sorted(tree.rglob("*_ts-ica-25.txt"))}
    first, second = sorted(files)[:2]
    files[first].write_text("spoiled")  # left out of the store at first ...
    opened, loaded = prepare.stored_participants, []

    def damaged_once(*arguments: Any) -> Any:
        participants = opened(*arguments)
        store = participants.store
        if not loaded:
            path = store.folder / "series.npy"
            status = path.stat()
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            files[first].write_text(files[second].read_text())  # ... and mended, while another one breaks
            files[sorted(files)[-1]].write_text("spoiled")
        loaded.append(store)
        return participants

    monkeypatch.setattr(prepare, "stored_participants", damaged_once)
    seen: dict[str, Any] = {}
    build = fit.build

    def spy(job: Any, prepared: Any, *loggers: Any) -> Any:
        seen.update(table=prepared.participants.table, data=prepared.data)
        return build(job, prepared, *loggers)

    monkeypatch.setattr(fit, "build", spy)
    run_job("cohort=bids", f"cohort.root={tree}", *FAST[1:], "trainer.limit_train_batches=1")

    good = [c - 1 for c in range(1, 26) if c not in (4, 23, 24, 25)]
    for part in ("train", "val", "test"):
        ids = list(seen["table"].query("split == @part")["participant_id"])
        series = np.concatenate([batch.numpy() for batch, _ in seen["data"].loader(part)])
        for person, held in zip(ids, series, strict=True):
            expected = check_series(np.loadtxt(files[person]), Reading(25, 490)).series[good]
            np.testing.assert_allclose(held, expected, atol=1e-5)
    with (tmp_path / "run0" / "exclusions.csv").open() as file:
        assert [row["participant_id"] for row in csv.DictReader(file)] == [sorted(files)[-1]]


def test_a_pruned_training_ends_after_the_epoch_at_which_it_is_pruned(
    run_job: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    reported: list[tuple[int, float]] = []

    def report(epoch: int, loss: float) -> bool:
        reported.append((epoch, loss))
        return epoch == 1

    with trial(report):
        summary = run_job(*FAST, "trainer.max_epochs=4")
    assert summary["status"] == "pruned"
    assert summary["objective"]["value"] is None
    assert [epoch for epoch, _ in reported] == [0, 1]
    assert not (tmp_path / "run0" / "predictions.csv").exists()


def test_a_training_that_ends_anyway_is_not_pruned(run_job: Callable[..., dict[str, Any]]) -> None:
    with trial(lambda epoch, loss: epoch == 1):
        assert run_job(*FAST, "trainer.max_epochs=2")["status"] == "finished"


def test_without_evaluation_the_test_set_is_unused(run_job: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    summary = run_job(*FAST, "evaluate=false")
    assert summary["status"] == "finished"
    assert summary["objective"]["value"] == summary["metrics"]["val"]["mse"]
    assert set(summary["metrics"]["test"].values()) == {summary["baseline"]["test"]["mae"]} == {None}
    assert not (tmp_path / "run0" / "predictions.csv").exists()
