"""Run a panel: train its models, measure how fast they predict, and write its page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from brainage.evaluation.panel import panel_errors
from brainage.study.index import this_machine
from brainage.study.panel_page import PanelResults, write_panel
from brainage.study.panel_plan import Panel
from brainage.study.panel_runs import ModelRuns, read_runs
from brainage.study.plan import Step
from brainage.study.record import StudyRecord, open_record
from brainage.study.runner import locked, run_steps
from brainage.system.console import log
from brainage.system.files import write_text


@dataclass
class PanelRecord(StudyRecord):
    """A record with the words of every model's trainings: a model is added to a panel, and none is changed."""

    words: dict[str, list[str]] = field(default_factory=dict)
    kind: ClassVar[str] = "panel"

    def difference(self, found: Self) -> str | None:
        """Return in which model's trainings a folder's record differs."""
        for label in self.words.keys() & found.words.keys():
            if self.words[label] != found.words[label]:
                was, asked = (" ".join(record.words[label]) for record in (found, self))
                return f"a panel with {label} trained by `{was}`, but got `{asked}`"
        return None


def run_panel(panel: Panel, out: Path) -> None:
    """Train the models of a panel that are not trained yet, and write its page."""
    out = out.absolute()
    steps = panel.steps(out)
    asked = PanelRecord(panel.size, list(panel.overrides), words={step.label: list(step.words) for step in steps})
    with locked(out):
        record = open_record(out, asked, steps)
        record.words |= asked.words
        run_steps(steps, out, record, lambda: _write(out, panel, steps, record))
    log.info("Panel: %s", out / "index.html")


def _write(out: Path, panel: Panel, steps: Sequence[Step], record: PanelRecord) -> None:
    runs: dict[str, ModelRuns] = {}
    left_out: dict[str, str] = {}
    for step in steps:
        if step.label in record.done:
            try:
                runs[step.name] = read_runs(step)
            except ValueError as reason:
                left_out[step.name] = str(reason)
    errors = None
    if runs:
        n_train = sum(each.n_train for each in runs.values()) / len(runs)
        errors = panel_errors({name: each.predicted for name, each in runs.items()}, n_train)
    speeds = {name: _milliseconds(out / "models" / name, each) for name, each in runs.items()}
    found = PanelResults(runs, errors, {name: speed for name, speed in speeds.items() if speed is not None}, left_out)
    write_panel(out, panel, steps, found, this_machine())


def _milliseconds(folder: Path, runs: ModelRuns) -> float | None:
    """Return how long a model takes to predict a participant, measured once; None if it cannot be."""
    place = folder / "speed.json"
    if not place.is_file():
        # Imports torch.
        from brainage.study.speed import milliseconds

        try:
            measured = milliseconds(runs.folders[0], round(runs.n_train))
        except Exception as error:  # in a user's own model, any
            log.warning("%s: its speed was not measured: %s", runs.name, type(error).__name__)
            return None
        write_text(place, json.dumps({"milliseconds": measured}) + "\n")
    value = json.loads(place.read_text())["milliseconds"]
    return float(value)
