"""The record of a study or a panel in its folder: how it was started, and which steps are done (``study.json``)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self, TypeVar

from brainage.errors import StudyError
from brainage.study.plan import Step
from brainage.system.console import log
from brainage.system.files import write_text


@dataclass
class StudyRecord:
    """How a study was started, the time spent on each step, and the commit at which each finished step was finished."""

    size: str
    overrides: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    done: dict[str, str | None] = field(default_factory=dict)
    kind: ClassVar[str] = "study"

    @classmethod
    def path(cls, out: Path) -> Path:
        """Return the record's file, such as ``study.json``."""
        return out / f"{cls.kind}.json"

    def write(self, out: Path) -> None:
        """Write the record."""
        write_text(self.path(out), json.dumps(vars(self), indent=2) + "\n")

    def difference(self, found: Self) -> str | None:
        """Return in what the record of a folder differs from the start of this one; None if this continues it."""
        if (found.size, found.overrides) == (self.size, self.overrides):
            return None
        return (
            f"a study of size {found.size} with {found.shown_overrides()}, but got size {self.size} with "
            f"{self.shown_overrides()}"
        )

    def shown_overrides(self) -> str:
        """Return the overrides as text."""
        return " ".join(self.overrides) or "no overrides"


R = TypeVar("R", bound=StudyRecord)


def open_record(out: Path, asked: R, steps: Sequence[Step]) -> R:
    """Return the record in a folder, or the new one; overrides may change until something is trained."""
    kind, path = asked.kind, asked.path(out)
    found = _read(path, type(asked))
    if found is None:
        if used := next((step.folder for step in steps if step.folder.exists()), None):
            raise StudyError(
                f"`--out {out}` must be a {kind}'s folder or a new one, but it contains `{used.relative_to(out)}` and "
                f"no {path.name}. Use another folder."
            )
        return asked
    if (difference := asked.difference(found)) is None:
        forget_lost_steps(found, steps)
        return found
    if found.done or any(next(step.folder.rglob("metrics.csv"), None) for step in steps):
        raise StudyError(f"`--out {out}` contains {difference}. Repeat the first, or use another folder.")
    for step in steps:
        shutil.rmtree(step.folder, ignore_errors=True)
    return asked


def _read(path: Path, kind: type[R]) -> R | None:
    if not path.exists():
        return None
    try:
        return kind(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        raise StudyError(f"`{path}` must be a {kind.kind}'s record, but cannot be read. Use another folder.") from None


def forget_lost_steps(record: StudyRecord, steps: Sequence[Step]) -> None:
    """Remove steps whose results are gone, and the comparison of such steps, from those that are done."""
    lost = {step.label for step in steps if step.label in record.done and not step.has_result()}
    if any(label.startswith("final_models/") for label in lost):
        lost |= {label for label in record.done if label.startswith("comparison/")}
    if lost:
        log.info("Repeated, because their results are gone: %s", ", ".join(sorted(lost)))
    record.done = {label: commit for label, commit in record.done.items() if label not in lost}
