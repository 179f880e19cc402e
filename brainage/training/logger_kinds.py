"""What differs between TensorBoard, W&B, MLflow and other loggers."""

from __future__ import annotations

import errno
import shlex
import sqlite3
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from brainage.system.console import log
from brainage.system.reading import reason_of

# Failures of network and disk: errors by number, and by their classes' names in several libraries.
_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_LONGEST = 200
_NAMES = {"ConnectionError", "TimeoutError", "Timeout", "CommError"}


def outage(error: BaseException) -> str | None:
    """Return in one line how network or disk failed; None for a wrong value, a missing login and all other errors."""
    chain: list[BaseException] = []
    while error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__ or error
    for one in reversed(chain):
        kinds = {kind.__name__ for kind in type(one).__mro__}
        by_number = isinstance(one, OSError) and one.errno in _NUMBERS
        by_database = isinstance(one, sqlite3.OperationalError) and "unable to open" not in str(one)
        if by_number or by_database or (_NAMES & kinds and "AuthenticationError" not in kinds):
            return reason_of(one)[:_LONGEST]
    return None


class Opened:
    """A logger that is open.

    `empty` is whether it does not continue the files that an earlier start of the run has left.
    """

    def __init__(self, logger: Logger, *, empty: bool) -> None:
        self.logger, self.empty = logger, empty
        self._finalize: Callable[[str], object] = logger.finalize

    def log_results(
        self, known: Mapping[str, float], row: Mapping[str, float], objective: str, n_epochs: int, parameters: Any
    ) -> None:
        """Log the metrics of the best epoch's weights, whose row of ``metrics.csv`` is `row`."""
        # After a curve's last epoch, the best one's value would look like one more.
        new = {name: value for name, value in known.items() if name not in row or name == objective}
        if isinstance(self.logger, WandbLogger):
            self.logger.experiment.summary.update({**row, **known})
        elif isinstance(self.logger, TensorBoardLogger):
            self.logger.log_hyperparams(parameters, metrics=new, step=n_epochs)
        else:
            self.logger.log_metrics(new, step=n_epochs)

    def log_figures(self, figures: Mapping[str, bytes], step: int) -> None:
        """Log PNG images."""
        for name, png in figures.items():
            image, key = Image.open(BytesIO(png)).convert("RGB"), f"report/{name}"
            if isinstance(self.logger, WandbLogger):
                self.logger.log_image(key, [image], step)
            elif isinstance(self.logger, TensorBoardLogger):
                self.logger.experiment.add_image(key, np.array(image), step, dataformats="HWC")
            elif isinstance(self.logger, MLFlowLogger):
                self.logger.experiment.log_image(self.logger.run_id, image, f"{key}.png")

    def close(self, *, finished: bool) -> None:
        """Write what is waiting; print how to upload a run of W&B that is offline."""
        self._finalize("success" if finished else "failed")
        if isinstance(self.logger, WandbLogger):
            run = self.logger.experiment
            place, offline = Path(run.dir).parent, run.offline
            run.finish(exit_code=0 if finished else 1)  # the next job of a multirun would find it open
            if offline and not run.disabled:
                log.info("Upload to W&B: wandb sync %s", shlex.quote(str(place)))


def opened(logger: Logger, parameters: dict[str, Any]) -> Opened:
    """Return a logger that has written the run's parameters."""
    empty = isinstance(logger, CSVLogger) or (
        isinstance(logger, TensorBoardLogger) and not list(Path(logger.log_dir).glob("events.out.*"))
    )
    if isinstance(logger, MLFlowLogger):
        empty = not logger.experiment.get_run(logger.run_id).data.params
    with warnings.catch_warnings():
        # What it deletes is logged again.
        warnings.filterwarnings("ignore", message="Experiment logs directory .* exists")
        if empty or not isinstance(logger, MLFlowLogger):  # MLflow refuses other values, such as more epochs
            logger.log_hyperparams(parameters)
    getattr(logger, "experiment", None)  # opens its files: what is wrong with them is said before the training
    if isinstance(logger, WandbLogger):
        empty = logger.experiment.offline
        if not empty and (address := logger.experiment.url):
            log.info("%s", address)
    return Opened(logger, empty=empty)
