"""The steps of the study, one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from brainage.errors import MissingPathError, StudyError
from brainage.study.index import write_index
from brainage.study.overrides import check_composes, checked_overrides
from brainage.study.plan import Plan
from brainage.study.processes import Commands, stop_left_behind
from brainage.study.resuming import carry_out
from brainage.study.stages import steps
from brainage.system.console import log
from brainage.system.files import ROOT
from brainage.system.provenance import commit


def run_study(size: str, out: Path, overrides: Sequence[str]) -> None:
    """Do what is left of a study.

    Parameters
    ----------
    size : str
        See `brainage.study.stages.SIZES`.
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
    now = commit()
    check_composes(todo)
    with _owned(out):
        plan.take_up(out, todo)
        if others := sorted(label for label, of in plan.done.items() if of != now):
            log.warning("Finished with another version of the code, and kept: %s", ", ".join(others))
        stop_left_behind(out / ".command.json")
        index = write_index(out, plan, todo)
        for number, step in enumerate(todo, start=1):
            head = f"{number} of {len(todo)}: {step.label}"
            if step.label in plan.done:
                log.info("%s: finished, kept", head)
                continue
            log.info("%s ...", head)
            before, started = plan.seconds.get(step.label, 0.0), time.monotonic()
            commands = Commands(step.label, out / "logs" / f"{step.stage}-{step.name}.log", out / ".command.json")
            try:
                carry_out(step, commands)
                plan.done[step.label] = now
            finally:
                plan.seconds[step.label] = round(before + time.monotonic() - started, 1)
                plan.write(out)
            index = write_index(out, plan, todo)
            log.info("%s: done in %.0f s", head, plan.seconds[step.label])
    log.info("Study: %s", index)


@contextmanager
def _owned(out: Path) -> Iterator[None]:
    lock = FileLock(out / ".lock", timeout=0)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StudyError(
            f"`--out {out}`: another process is at this study. Wait for it, or use another folder."
        ) from None
    except OSError as error:
        raise StudyError(
            f"`--out {out}` must be a folder that can be written, but: {error.strerror or error}. Use another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check_root() -> None:
    """See that the commands of the project are beside the package."""
    if not (ROOT / "train.py").is_file():
        raise MissingPathError(f"`{ROOT}` must hold train.py, but does not. Run from a clone, installed with pip -e.")
