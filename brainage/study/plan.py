"""What a study's folder tells of it: what it was begun with, and which steps are done (``study.json``)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brainage.errors import StudyError
from brainage.study.stages import Step
from brainage.system.console import log
from brainage.system.files import write_whole


@dataclass
class Plan:
    """A study.

    Parameters
    ----------
    size : str
        See `brainage.study.stages.SIZES`.
    overrides : list of str
        Given to every training.
    seconds : dict of str to float
        What each step has taken so far, in all processes that were not killed.
    done : dict of str to str or None
        The finished steps, and the commit with which each was finished.
    """

    size: str
    overrides: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    done: dict[str, str | None] = field(default_factory=dict)

    def take_up(self, out: Path, steps: Sequence[Step]) -> None:
        """Learn what is done, and note that the study has begun.

        Parameters
        ----------
        out : Path
            The study's folder.
        steps : sequence of Step
            All of its steps.

        Raises
        ------
        StudyError
            The folder holds another study, or something else.
        """
        noted = _noted(out)
        if noted is not None and (noted.size, noted.overrides) != (self.size, self.overrides):
            if noted.done or any(next(step.folder.rglob("metrics.csv"), None) for step in steps):
                raise StudyError(
                    f"`--out {out}` holds a study of size {noted.size} with {noted.words()}, but got size {self.size} "
                    f"with {self.words()}. Repeat the first, or use another folder."
                )
            for step in steps:  # nothing was trained: what was wrong may be mended
                shutil.rmtree(step.folder, ignore_errors=True)
        elif noted is not None:
            there = {step.label for step in steps if step.label in noted.done and step.has_result()}
            self.done = {step.label: noted.done[step.label] for step in steps if _stands(step, steps, there)}
            self.seconds = noted.seconds
            if lost := [step.label for step in steps if step.label in noted.done and step.label not in self.done]:
                log.info("Done again, for results are gone: %s", ", ".join(lost))
        elif used := next((step.folder for step in steps if step.folder.exists()), None):
            raise StudyError(
                f"`--out {out}` must be a study's folder or a new one, but it has no study.json, and holds "
                f"`{used.relative_to(out)}`. Use another folder."
            )
        self.write(out)

    def write(self, out: Path) -> None:
        """Write ``study.json``."""
        text = json.dumps(vars(self), indent=2) + "\n"
        write_whole(out / "study.json", lambda path: path.write_text(text))

    def words(self) -> str:
        """Return the overrides as they are shown."""
        return " ".join(self.overrides) or "no overrides"


def _noted(out: Path) -> Plan | None:
    """Return what a folder's ``study.json`` tells, if it has one."""
    path = out / "study.json"
    if not path.exists():
        return None
    try:
        noted = json.loads(path.read_text())
        if "seconds" not in noted:  # of a version that noted no commits
            noted |= {"seconds": noted["done"], "done": dict.fromkeys(noted["done"])}
        return Plan(
            str(noted["size"]),
            list(noted["overrides"]),
            {str(label): float(seconds) for label, seconds in noted["seconds"].items()},
            {str(label): None if commit is None else str(commit) for label, commit in noted["done"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StudyError(f"`{path}` must tell what was begun, but cannot be read. Use another folder.") from None


def _stands(step: Step, steps: Sequence[Step], there: set[str]) -> bool:
    """Tell whether a step's result is there, and that of everything that it was made of."""
    sources = [other.label for other in steps if other.stage == "final_models"] if step.stage == "comparison" else []
    return all(label in there for label in (step.label, *sources))
