"""Run the steps of a study or a panel, one after the other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from brainage.errors import StudyError
from brainage.runs.folder import read_summary
from brainage.runs.multirun import has_ended
from brainage.study.index import write_index
from brainage.study.overrides import check_composes, checked_overrides
from brainage.study.plan import Step, study_steps
from brainage.study.processes import run_command, step_error, stop_leftover
from brainage.study.record import StudyRecord, open_record
from brainage.system.console import log
from brainage.system.locks import acquire
from brainage.system.provenance import commit

# In the study's folder: the process of the step that is running.
_NOTE = ".command.json"


def run_study(size: str, out: Path, overrides: Sequence[str]) -> None:
    """Run the steps of a study that are not done, and write its index."""
    words, out = checked_overrides(overrides), out.absolute()
    steps = study_steps(size, out, words)
    check_composes(steps)
    with locked(out):
        record = open_record(out, StudyRecord(size, words), steps)
        run_steps(steps, out, record, lambda: write_index(out, record, steps))
    log.info("Study: %s", out / "index.html")


def run_steps(steps: Sequence[Step], out: Path, record: StudyRecord, write_page: Callable[[], Any]) -> None:
    """Run the steps that are not done; write the page before the first and after each."""
    now = commit()
    record.write(out)
    labels = {step.label for step in steps}
    if others := sorted(label for label in labels & record.done.keys() if record.done[label] != now):
        log.warning("Finished with another version of the code, and kept: %s", ", ".join(others))
    stop_leftover(out / _NOTE)
    write_page()
    for number, step in enumerate(steps, start=1):
        head = f"{number} of {len(steps)}: {step.label}"
        if step.label in record.done:
            log.info("%s: finished, kept", head)
            continue
        log.info("%s ...", head)
        _run_recorded(step, out, record, now)
        write_page()
        log.info("%s: done in %.0f s", head, record.seconds[step.label])


def _run_recorded(step: Step, out: Path, record: StudyRecord, at_commit: str | None) -> None:
    before, started = record.seconds.get(step.label, 0.0), time.monotonic()
    try:
        run_step(step, out)
        record.done[step.label] = at_commit
    finally:
        record.seconds[step.label] = round(before + time.monotonic() - started, 1)
        record.write(out)


def run_step(step: Step, out: Path) -> None:
    """Run a step, or continue what an earlier process left of it."""
    if not step.can_continue():
        shutil.rmtree(step.folder, ignore_errors=True)
    words, log_file = step.command(), out / "logs" / f"{step.stage}-{step.name}.log"
    code = run_command(words, log_file, out / _NOTE)
    jobs = (read_summary(path.parents[1]) for path in step.folder.glob("*/.hydra/overrides.yaml"))
    # Jobs of a grid that diverged or are infeasible are results.
    grid_is_done = step.is_grid and code == 1 and step.has_result()
    if code and not (grid_is_done and all(_is_result(summary, step.accepted) for summary in jobs)):
        raise step_error(step.label, words, code, log_file)


def _is_result(summary: dict[str, Any] | None, accepted: Sequence[str]) -> bool:
    return summary is not None and (has_ended(summary) or summary.get("error") in accepted)


def locked(out: Path) -> AbstractContextManager[object]:
    """Create the folder of a study or a panel, and lock it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        return acquire(out / ".lock", f"`--out {out}`", StudyError)
    except StudyError:
        raise
    except OSError as error:
        raise StudyError(
            f"`--out {out}` must be a writable folder, but: {error.strerror or error}. Use another folder."
        ) from None
