"""The steps of the study, one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from brainage.console import log
from brainage.errors import MissingPathError, StudyError
from brainage.run import ensure_writable
from brainage.study.commands import ROOT, Commands, stop_left_behind
from brainage.study.index import write_index
from brainage.study.overrides import checked_overrides
from brainage.study.plan import Plan
from brainage.study.steps import steps
from brainage.study.taking_up import carry_out


def run_study(size: str, out: Path, overrides: Sequence[str]) -> None:
    """Do what is left of a study.

    Parameters
    ----------
    size : str
        See `brainage.study.steps.SIZES`.
    out : Path
        The study's folder.
    overrides : sequence of str
        Added to every training.

    Raises
    ------
    StudyError
        An override cannot be given, the folder holds another study, somebody is at it, or a step failed.
    """
    _check_root()
    plan, out = Plan(size, checked_overrides(overrides)), out.absolute()
    todo = steps(size, out, plan.overrides)
    with _owned(out):
        plan.take_up(out, todo)
        stop_left_behind(out / ".command.json")
        index = write_index(out, plan, todo)
        for number, step in enumerate(todo, start=1):
            head = f"{number} of {len(todo)}: {step.label}"
            if step.label in plan.done:
                log.info("%s: finished, kept", head)
                continue
            log.info("%s ...", head)
            started = time.monotonic()
            carry_out(step, Commands(step.label, out / "logs" / f"{step.stage}-{step.name}.log", out / ".command.json"))
            plan.done[step.label] = round(time.monotonic() - started, 1)
            plan.write(out)
            index = write_index(out, plan, todo)
            log.info("%s: done in %.0f s", head, plan.done[step.label])
    log.info("Study: %s", index)


@contextmanager
def _owned(out: Path) -> Iterator[None]:
    ensure_writable(out)
    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise StudyError(
            f"`--out {out}`: another process is at this study. Wait for it, or use another folder."
        ) from None


def _check_root() -> None:
    """See that the commands of the project are beside the package."""
    if not (ROOT / "train.py").is_file():
        raise MissingPathError(f"`{ROOT}` must hold train.py, but does not. Run from a clone, installed with pip -e.")
