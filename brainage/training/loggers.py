"""A run's loggers: what they get of it; one that fails is a note, and the run continues without it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning.loggers import Logger

from brainage.evaluation.disclosure import MIN_SHOWN, may_describe, shown_summary
from brainage.system.console import log
from brainage.system.failures import noted
from brainage.training.logger_kinds import Opened, opened, outage

# What Lightning and users' callbacks call.
_CALLED = ("log_metrics", "log_hyperparams", "log_graph", "log_image", "save", "after_save_checkpoint")


class Loggers:
    """The loggers of one run.

    Parameters
    ----------
    notes : list of str
        Gets a note on each logger that fails.
    parameters : dict
        The run's config and labels.
    sizes : mapping of str to int
        Participants a part of the split. Loggers, which may send data away, get no metrics of fewer than ten.
    """

    def __init__(self, notes: list[str], parameters: dict[str, Any], sizes: Mapping[str, int]) -> None:
        self._notes, self.parameters = notes, parameters
        self._open: dict[str, Opened] = {}
        self._rows: dict[int, dict[str, float]] = {}
        hidden = {part: size for part, size in sizes.items() if not may_describe(size)}
        self._hidden = tuple(f"{part}/" for part in hidden)
        self._listed = ", ".join(f"{part} {size}" for part, size in hidden.items())

    def open(self, name: str, make: Callable[[], Logger]) -> None:
        """Make a logger and log the run's parameters.

        Raises what the logger raises, such as that its user is not logged in; a failure of network or disk is a note.
        """
        if self._listed and not self._open:
            log.info("Loggers get no metrics of parts with fewer than %d participants: %s.", MIN_SHOWN, self._listed)
        try:
            one = opened(make(), self.parameters)
        except Exception as error:  # each logger has errors of its own
            if outage(error) is None:
                raise
            self._note(name, "was not opened", error)
            return
        self._open[name] = one
        for method in (method for method in _CALLED if hasattr(one.logger, method)):
            setattr(one.logger, method, self._guarded(name, getattr(one.logger, method)))
        # Lightning calls it after the last epoch, before there are results; `close` calls the logger's own.
        setattr(one.logger, "finalize", lambda status: None)  # noqa: B010

    def for_lightning(self) -> list[Logger]:
        """Return the loggers as users' callbacks know them."""
        return [one.logger for one in self._open.values()]

    def log_epoch(self, row: Mapping[str, float]) -> None:
        """Log an epoch's row of ``metrics.csv``, at the epoch's number."""
        self._log_row(row, lambda one: True)

    def log_again(self, row: Mapping[str, float]) -> None:
        """Log an epoch of before the run was resumed, where a logger does not continue its earlier files."""
        self._log_row(row, lambda one: one.empty)

    def log_results(self, summary: Mapping[str, Any]) -> None:
        """Log the metrics of the best epoch's weights, from ``summary.json``."""
        summary = shown_summary(summary)
        parts = summary["metrics"].items()
        values = {f"{part}/{name}": value for part, metrics in parts for name, value in metrics.items()}
        values["best_epoch"] = summary["best_epoch"]
        known = {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}
        row, objective = self._rows.get(summary["best_epoch"], {}), summary["objective"]["name"]
        self._each(lambda one: one.log_results(known, row, objective, summary["epochs"], self.parameters))

    def log_figures(self, figures: Mapping[str, bytes], step: int) -> None:
        """Log PNG images, which must not show single participants."""
        self._each(lambda one: one.log_figures(figures, step))

    def close(self, *, finished: bool) -> None:
        """Let all loggers write what they have."""
        self._each(lambda one: one.close(finished=finished))
        self._open.clear()

    def _log_row(self, row: Mapping[str, float], chosen: Callable[[Opened], bool]) -> None:
        epoch = int(row["epoch"])
        values = {name: value for name, value in row.items() if not name.startswith(self._hidden or ("\0",))}
        self._rows[epoch] = values
        self._each(lambda one: one.logger.log_metrics(values, step=epoch) if chosen(one) else None)

    def _each(self, act: Callable[[Opened], object]) -> None:
        for name, one in list(self._open.items()):
            self._guarded(name, act)(one)

    def _guarded(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method whose first failure is a note, after which the logger gets nothing more."""

        def guarded(*arguments: Any, **named: Any) -> Any:
            if name in self._open:
                try:
                    return method(*arguments, **named)
                except Exception as error:
                    self._open.pop(name, None)
                    self._note(name, "failed", error)
            return None

        return guarded

    def _note(self, name: str, what: str, error: Exception) -> None:
        reason = outage(error)
        with noted(self._notes, f"`logger.{name}` {what}, and the run continues without it"):
            raise error if reason is None else OSError(0, reason)
