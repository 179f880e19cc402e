"""A logger that fails is a note; one that is set up wrongly stops the run."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers.logger import Logger
from wandb.errors import AuthenticationError, CommError

from brainage.training.logger_kinds import outage
from brainage.training.loggers import Loggers
from tests.conftest import files_of_at_most
from tests.logged import of_tensorboard

SIZES = {"train": 80, "val": 10, "test": 9}
ROW = {"epoch": 0.0, "train/loss": 4.0, "val/loss": 5.0, "lr": 0.001}
SUMMARY = {
    "n": SIZES,
    "metrics": {"train": {"mae": 1.0}, "val": {"mae": 2.0, "mse": 5.0}, "test": {"mae": 3.0}},
    "objective": {"name": "val/mse", "value": 5.0},
    "best_epoch": 0,
    "epochs": 1,
}


class Failing(Logger):
    """Fails in one method, and counts the calls of all."""

    name, version = "failing", ""

    def __init__(self, method: str, error: Exception) -> None:
        super().__init__()
        self.method, self.error, self.calls = method, error, []  # type: ignore[var-annotated]

    def _call(self, method: str) -> None:
        self.calls.append(method)
        if method == self.method:
            raise self.error

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self._call("log_hyperparams")

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self._call("log_metrics")

    def finalize(self, status: str) -> None:
        self._call("finalize")


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("method", "error", "note", "calls"),
    [
        ("log_hyperparams", FULL, "`logger.a` was not opened, and the run continues without it: No space left", 1),
        (
            "log_hyperparams",
            CommError("down"),
            "`logger.a` was not opened, and the run continues without it: down.",
            1,
        ),
        ("log_metrics", FULL, "`logger.a` failed, and the run continues without it: No space left on device.", 2),
        (
            "log_metrics",
            ValueError("secret"),
            "`logger.a` failed, and the run continues without it: ValueError; see",
            2,
        ),
        ("finalize", FULL, "`logger.a` failed, and the run continues without it: No space left on device.", 5),
    ],
)
def test_a_failure_is_one_note_and_other_loggers_go_on(
    method: str, error: Exception, note: str, calls: int, tmp_path: Path
) -> None:
    notes: list[str] = []
    loggers, failing = Loggers(notes, {"seed": 1}, SIZES), Failing(method, error)
    loggers.open("a", lambda: failing)
    loggers.open("b", lambda: TensorBoardLogger(tmp_path, name="b", version="", default_hp_metric=False))
    for epoch in (0.0, 1.0):
        loggers.log_epoch({**ROW, "epoch": epoch})
    loggers.log_results(SUMMARY)
    loggers.close(finished=True)
    assert len(notes) == 1 and notes[0].startswith(note)
    assert len(failing.calls) == calls
    logged = of_tensorboard(tmp_path / "b")
    assert [step for step, _ in logged.steps["val/loss"]] == [0, 1]
    assert logged.single == {"train/mae": 1.0, "val/mae": 2.0, "val/mse": 5.0, "best_epoch": 0.0}
    assert logged.parameters == {"seed": 1}


@pytest.mark.parametrize("error", [AuthenticationError("log in"), ValueError("mode"), OSError(errno.ENOTDIR, "none")])
def test_a_mistake_is_raised_when_a_logger_is_opened(error: Exception) -> None:
    loggers = Loggers([], {}, SIZES)
    with pytest.raises(type(error)):
        loggers.open("a", lambda: Failing("log_hyperparams", error))
    assert loggers.for_lightning() == []


def test_an_outage_is_known_by_what_caused_an_error() -> None:
    for cause in (ConnectionResetError("x"), TimeoutError("x"), OSError(errno.EDQUOT, "x")):
        error = ValueError("request failed")
        error.__cause__ = cause
        assert outage(error) == "x"
    error.__cause__ = KeyError("x")
    assert outage(error) is None


def test_a_full_disk_is_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    loggers = Loggers(notes, {}, SIZES)
    loggers.open("csv", lambda: CSVLogger(tmp_path, name="csv", version="", flush_logs_every_n_steps=1))
    with files_of_at_most(200):
        for epoch in range(20):
            loggers.log_epoch({**ROW, "epoch": float(epoch)})
    assert notes == ["`logger.csv` failed, and the run continues without it: File too large."]


def test_users_callbacks_keep_the_logger_s_class_and_cannot_end_a_run(tmp_path: Path) -> None:
    loggers = Loggers([], {}, SIZES)
    loggers.open("a", lambda: Failing("log_metrics", FULL))
    (logger,) = loggers.for_lightning()
    assert isinstance(logger, Failing)
    logger.log_metrics({"mine": 1.0}, step=3)
    logger.finalize("success")
    assert logger.calls == ["log_hyperparams", "log_metrics"]


def test_an_epoch_of_before_is_logged_where_files_do_not_continue(tmp_path: Path) -> None:
    for start in range(2):
        loggers = Loggers([], {}, SIZES)
        loggers.open("csv", lambda: CSVLogger(tmp_path, name="csv", version="", flush_logs_every_n_steps=1))
        loggers.open("tensorboard", lambda: TensorBoardLogger(tmp_path, name="b", version="", default_hp_metric=False))
        for epoch in range(start):
            loggers.log_again({**ROW, "epoch": float(epoch)})
        loggers.log_epoch({**ROW, "epoch": float(start)})
        loggers.close(finished=False)
    assert [line.split(",")[2] for line in (tmp_path / "csv" / "metrics.csv").read_text().split()] == ["step", "0", "1"]
    assert [step for step, _ in of_tensorboard(tmp_path / "b").steps["lr"]] == [0, 1]
