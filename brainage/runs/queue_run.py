"""A single run in a queue of SLURM."""

from __future__ import annotations

import sys
from pathlib import Path

from brainage.config.again import key_of
from brainage.config.groups.launcher import SlurmConfig
from brainage.config.overrides import as_overrides
from brainage.reporting.run_summary import show_summary
from brainage.runs.folder import read_summary
from brainage.system.console import log
from brainage.system.signals import advise
from brainage.system.slurm import SUBMITTED, submit, wait_for


def queue_run(folder: Path, slurm: SlurmConfig) -> int:
    """Submit this process's run to SLURM, wait for it, show its summary, and return the exit code."""
    words, submitted = sys.argv[1:], folder / SUBMITTED
    if not any(key_of(word) == "resume" for word in words):
        words = [word for word in words if key_of(word) != "hydra.run.dir"]
        words += as_overrides({"hydra.run.dir": str(folder)})
    array = submit(submitted, slurm.of_submitit, slurm.max_num_timeout, ["train", *words], [0])
    log.info("Submitted to SLURM as job %s; what it prints is in %s", array, submitted)
    advise(f"the job goes on (scancel {array} ends it) in {folder}")
    wait_for([array])
    summary = read_summary(folder)
    if summary is not None and summary["status"] == "finished":
        show_summary(summary, folder)
        return 0
    reason = "it left no summary" if summary is None else summary.get("reason") or summary["status"]
    log.error("The job did not finish: %s. What it printed is in %s", reason, submitted)
    return 1
