"""Doing a step, or what an earlier process left of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from brainage.errors import DIVERGED
from brainage.runs.folder import read_summary
from brainage.runs.multirun_table import finish_multirun
from brainage.study.processes import Commands
from brainage.study.stages import Step, quoted
from brainage.system.files import ROOT


def carry_out(step: Step, commands: Commands) -> None:
    """Do what is left of a step.

    Parameters
    ----------
    step : Step
        The step.
    commands : Commands
        Runs its commands.

    Raises
    ------
    StudyStepError
        One failed.
    """
    if step.stage == "manual_search":
        _carry_out_grid(step, commands)
    elif step.stage == "hyperparameter_sweep":  # goes on by itself
        commands.run([*step.words, f"hydra.sweep.dir={quoted(step.folder)}"])
    elif step.stage == "final_models":
        _carry_out_run(step.folder, step.words, commands)
    else:
        shutil.rmtree(step.folder, ignore_errors=True)
        commands.run([*step.words, f"hydra.run.dir={quoted(step.folder)}"])


def _carry_out_grid(step: Step, commands: Commands) -> None:
    """Run a grid as one multirun, or what an earlier one left of it, job by job."""
    if not (step.folder / "multirun.yaml").exists():  # which Hydra writes before the first job
        shutil.rmtree(step.folder, ignore_errors=True)
        # With 1, some job failed: it is looked at below.
        if commands.run([*step.words, f"hydra.sweep.dir={quoted(step.folder)}"], accept=(0, 1)) == 0:
            return
    for number, words in enumerate(grid_jobs(step.words)):
        # The experiment itself says that it is a multirun.
        _carry_out_run(step.folder / str(number), [step.words[0], *words, "hydra.mode=RUN"], commands, in_grid=True)
    with commands.output.open("a", encoding="utf-8") as output, redirect_stdout(output):
        finish_multirun(step.folder)


def grid_jobs(words: Sequence[str]) -> list[list[str]]:
    """Return the overrides of each job of an experiment's grid, as Hydra's own sweeper gives them.

    Parameters
    ----------
    words : sequence of str
        The multirun's command, which names the experiment.
    """
    given = [word for word in words[1:] if not word.startswith("--")]
    name = next(word.partition("=")[2] for word in given if word.startswith("experiment="))
    params = OmegaConf.load(ROOT / "experiments" / f"{name}.yaml").hydra.sweeper.params
    choices: dict[str, list[str]] = {}
    # What the command line says of a key stands in place of the grid's.
    for override in OverridesParser.create().parse_overrides([*(f"{key}={params[key]}" for key in params), *given]):
        key = override.get_key_element()
        several = override.is_sweep_override()
        values = override.sweep_string_iterator() if several else [override.get_value_element_as_str()]
        choices[key] = [f"{key}={value}" for value in values]
    return [list(job) for job in product(*choices.values())]


def _carry_out_run(folder: Path, words: Sequence[str], commands: Commands, *, in_grid: bool = False) -> None:
    """Run a training, go on with it, or leave it as it is."""
    if _has_ended(folder, in_grid=in_grid):
        return
    if (folder / "checkpoints" / "last.ckpt").exists():
        command = ["train.py", f"resume={quoted(folder)}"]
    else:
        shutil.rmtree(folder, ignore_errors=True)
        command = [*words, f"hydra.run.dir={quoted(folder)}"]
    code = commands.run(command, accept=(0, 1, 2) if in_grid else (0,))
    if code and not _has_ended(folder, in_grid=in_grid):
        commands.fail(command, code)


def _has_ended(folder: Path, *, in_grid: bool) -> bool:
    """Tell whether a run came to its end; a network that cannot exist, or that diverges, is a result of a grid."""
    summary = read_summary(folder)
    if summary is None:
        return False
    diverged = summary["status"] == "failed" and str(summary.get("reason")).startswith(DIVERGED)
    return summary["status"] == "finished" or (in_grid and (summary["status"] == "impossible" or diverged))
