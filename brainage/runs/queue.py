"""The jobs of a grid in a queue of SLURM."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from brainage.config.again import key_of
from brainage.config.groups.launcher import slurm_of
from brainage.config.overrides import as_overrides
from brainage.errors import BrainageError
from brainage.runs.folder import read_summary
from brainage.runs.multirun import has_ended, repeat_command
from brainage.system.console import log
from brainage.system.session import say
from brainage.system.signals import advise
from brainage.system.slurm import SUBMITTED, submit, wait_for, wait_for_earlier
from brainage.system.tasks import array_number

__all__ = ["array_number", "queue"]


def queue(config: DictConfig, numbers: Sequence[int]) -> None:
    """Submit the jobs of a grid that have not ended, and wait for all; print a mistake and exit."""
    folder = Path(config.hydra.sweep.dir)
    try:
        settings = slurm_of(config)
        assert settings is not None
        wait_for_earlier(folder / SUBMITTED)
        left = [number for number in numbers if not _has_ended(folder / str(number))]
        if not left:
            log.info("All jobs have ended before; they are kept.")
            return
        words = [word for word in sys.argv[1:] if key_of(word) != "hydra.sweep.dir"]
        words = ["train", *words, *as_overrides({"hydra.sweep.dir": str(folder)})]
        array = submit(folder / SUBMITTED, settings.of_submitit, settings.max_num_timeout, words, left)
    except BrainageError as error:
        if not any(path.name.isdigit() for path in folder.iterdir()):
            (folder / "multirun.yaml").unlink(missing_ok=True)  # nothing has begun
        say(error)
        sys.exit(error.exit_code)
    log.info("Submitted to SLURM as array %s, jobs: %d; what they print is in %s", array, len(left), folder / SUBMITTED)
    advise(f"its jobs go on (scancel {array} ends them); continue with: {repeat_command(folder)}")
    wait_for([array])
    for number in left:
        if read_summary(folder / str(number)) is None:
            log.warning("Job %d left no summary: see the logs of array %s in %s", number, array, folder / SUBMITTED)


def _has_ended(folder: Path) -> bool:
    """Return whether a job would only be kept: it has ended, and its report is written."""
    summary = read_summary(folder)
    if summary is None or not has_ended(summary):
        return False
    return summary["status"] != "finished" or (folder / "report.html").is_file()
