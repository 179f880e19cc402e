"""Run a panel: train its models, measure how fast they predict, and write its page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from brainage.evaluation.panel import panel_errors
from brainage.study.index import this_machine
from brainage.study.panel_page import write_panel
from brainage.study.panel_plan import Panel, choose_models, plan_panel
from brainage.study.panel_runs import ModelRuns, read_runs
from brainage.study.panel_table import PanelResults, panel_table, text_rows
from brainage.study.plan import Step
from brainage.study.record import StudyRecord, forget_lost_steps, open_record
from brainage.study.runner import locked, run_steps
from brainage.system.console import log, show_table
from brainage.system.files import write_text

__all__ = ["choose_models", "plan_panel", "run_panel"]


@dataclass
class PanelRecord(StudyRecord):
    """A record with the words of all trainings: models are added to a panel, and none is changed."""

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
    """Train the models of a panel that are not trained yet, and write its page.

    Then train the networks with the lowest validation error on shuffled series, which says whether they use order.
    """
    out = out.absolute()
    steps = panel.steps(out)
    asked = PanelRecord(panel.size, list(panel.overrides), words={step.label: list(step.words) for step in steps})
    with locked(out):
        record = open_record(out, asked, steps)
        record.words |= asked.words
        done = _Done(out, panel, steps, record)
        run_steps(steps, out, record, done.write_page)
        done.order = [panel.order_step(name, out) for name in done.results().best_networks(panel)]
        record.words |= {step.label: list(step.words) for step in done.order}
        forget_lost_steps(record, done.order)
        run_steps(done.order, out, record, done.write_page)
        done.show()
    log.info("Panel: %s", out / "index.html")


@dataclass
class _Done:
    """The steps of a panel that are done; each is read once."""

    out: Path
    panel: Panel
    steps: Sequence[Step]
    record: PanelRecord
    order: Sequence[Step] = ()
    _runs: dict[str, ModelRuns | str] = field(default_factory=dict)
    _speeds: dict[str, float | None] = field(default_factory=dict)

    def write_page(self) -> None:
        """Write the page and the tables."""
        write_panel(self.out, self.panel, [*self.steps, *self.order], self.results(), this_machine())

    def show(self) -> None:
        """Print the table."""
        found = self.results()
        if found.errors is not None:
            show_table("By validation error", *text_rows(panel_table(self.panel, found, found.errors)))

    def results(self) -> PanelResults:
        """Return the results of the steps that are done."""
        read = {step.label: self._read(step) for step in [*self.steps, *self.order] if step.label in self.record.done}
        runs = {step.name: each for step in self.steps if isinstance(each := read.get(step.label), ModelRuns)}
        return PanelResults(
            runs,
            panel_errors({name: each.predicted for name, each in runs.items()}, _n_train(runs)) if runs else None,
            {name: speed for name, each in runs.items() if (speed := self._milliseconds(each)) is not None},
            {label.removeprefix("models/"): reason for label, reason in read.items() if isinstance(reason, str)},
            {step.name: each for step in self.order if isinstance(each := read.get(step.label), ModelRuns)},
            self.record.done,
        )

    def _read(self, step: Step) -> ModelRuns | str:
        if step.label not in self._runs:
            self._runs[step.label] = read_runs(step)
        return self._runs[step.label]

    def _milliseconds(self, runs: ModelRuns) -> float | None:
        if runs.name not in self._speeds:
            self._speeds[runs.name] = _measured(runs, self.out / "models" / runs.name / "speed.json")
        return self._speeds[runs.name]


def _n_train(runs: dict[str, ModelRuns]) -> float:
    return sum(each.n_train for each in runs.values()) / len(runs)


def _measured(runs: ModelRuns, place: Path) -> float | None:
    """Return how long a model takes to predict a participant, measured once; None if it cannot be."""
    if not place.is_file():
        # Imports torch.
        from brainage.study.speed import milliseconds

        try:
            measured = milliseconds(runs.folders[0], round(runs.n_train))
        except Exception as error:  # in a user's own model, any
            log.warning("The speed of %s was not measured: %s", runs.name, type(error).__name__)
            return None
        write_text(place, json.dumps({"milliseconds": measured}) + "\n")
    return float(json.loads(place.read_text())["milliseconds"])
