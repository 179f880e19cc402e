"""The results of a sweep: the table of all trials, and the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from brainage.errors import SweepError
from brainage.evaluation.disclosure import may_describe
from brainage.sweep.confirm import N_SEEDS, Confirmed, best_confirmed
from brainage.sweep.confirmation_text import confirmation_sentences, confirmed_cells
from brainage.sweep.recovery import REASON
from brainage.sweep.settings import SweepSettings
from brainage.sweep.storage import search_space
from brainage.system.console import cell, show_table
from brainage.system.files import write_csv
from brainage.system.invocation import command_text
from brainage.system.locks import acquire
from brainage.system.reading import read_json

_N_SHOWN = 10

# The user attribute of a trial with the number of its validation participants.
N_VALIDATION = "n_val"

# The user attribute of a trial with the standard error of its objective; unknown of trials of earlier versions.
STANDARD_ERROR = "standard_error"

# How long to wait, in seconds, for another process that opens the study or writes the results: it takes moments.
_PATIENCE = 600.0


@dataclass(frozen=True)
class Result:
    """The result of a sweep, as it is printed and on the page: the table of the best trials and what to do next."""

    counts: str
    best: tuple[FrozenTrial, ...] = ()  # the chosen trial, if any is complete
    title: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    sentences: Sequence[str] = ()
    shows_errors: bool = True
    confirmed: Sequence[Confirmed] = ()

    def show(self) -> None:
        """Print the result."""
        print(f"\n{self.counts}")
        if self.rows:
            show_table(self.title, self.header, self.rows)
        for sentence in self.sentences:
            print(sentence)


def locked(folder: Path) -> AbstractContextManager[object]:
    """Return the acquired lock of a sweep's folder, for what its processes may not do at the same time."""
    return acquire(folder / ".lock", f"`hydra.sweep.dir={folder}`", SweepError, wait=_PATIENCE)


def sweep_result(study: Study, settings: SweepSettings, folder: Path, confirmed: Sequence[Confirmed] = ()) -> Result:
    """Return the result of a study; the best trial, of those that were confirmed, is an experiment in the folder."""
    trials = study.get_trials(deepcopy=False)
    states = Counter(trial.state.name for trial in trials)
    counts = f"Study {settings.study_name}: {', '.join(f'{n} {state}' for state, n in sorted(states.items()))}"
    best = ranked(study)
    if not best:
        return Result(counts)
    chosen, sentences = best[0], []
    if len(settings.objectives) > 1:
        chosen, error = smallest_of_the_best(study, settings)
        known = "" if error else " (not known of trials of earlier versions)"
        text = f"Within one standard error of the best error{known}, trial {chosen.number} is the smallest network."
        sentences.append(text)
    shows_errors = may_show_errors(trials, folder)
    maximize = study.directions[0] == StudyDirection.MAXIMIZE
    if (first := best_confirmed(confirmed, maximize=maximize)) is not None:
        chosen = first.trial
        values = [trial.values[0] for trial in best]
        sentences += confirmation_sentences(values, confirmed, maximize=maximize, shows_errors=shows_errors)
    command = command_text("train", "--config-dir", str(folder), "experiment=best")
    sentences.append(f"Train trial {chosen.number}, and test it: {command}")
    keys = list(search_space(study))
    title, header, rows = _table(best[:_N_SHOWN], settings, keys, confirmed, shows_errors=shows_errors)
    return Result(counts, (chosen,), title, header, rows, sentences, shows_errors, confirmed)


def may_show_errors(trials: Sequence[FrozenTrial], folder: Path) -> bool:
    """Return whether the errors of trials are those of enough validation participants to be on a page."""
    measured = (trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED))
    return all(may_describe(_n_validation(trial, folder)) for trial in measured)


def _n_validation(trial: FrozenTrial, folder: Path) -> int:
    """Return the number of a trial's validation participants, also of trials of earlier versions; 0 if unknown."""
    n = trial.user_attrs.get(N_VALIDATION)
    if n is None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            n = read_json(folder / "trials" / str(trial.number) / "summary.json")["n"]["val"]
    return n if isinstance(n, int) else 0


def trial_title(trial: FrozenTrial, study_name: str, folder: Path) -> str:
    """Return a line that describes a trial, with its values if they may be shown."""
    values = ", ".join(f"{value:g}" for value in trial.values) if may_show_errors([trial], folder) else ""
    return f"Trial {trial.number} of the study {study_name}{values and f': {values}'}."


def ranked(study: Study) -> list[FrozenTrial]:
    """Return the complete trials, the best first; with two objectives those of the front, by the first of them."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(study.directions) > 1:
        complete = study.best_trials
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    return sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number))


def smallest_of_the_best(study: Study, settings: SweepSettings) -> tuple[FrozenTrial, float]:
    """Return the network with the fewest parameters within one standard error of the best error, and this error.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, 7.10, doi 10.1007/978-0-387-84858-7.
    """
    error, size = settings.objectives.index("objective"), settings.objectives.index("parameters")
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = -1 if study.directions[error] == StudyDirection.MAXIMIZE else 1
    best = min(complete, key=lambda trial: (sign * trial.values[error], trial.number))
    one = float(best.user_attrs.get(STANDARD_ERROR) or 0.0)
    close = [trial for trial in complete if sign * trial.values[error] <= sign * best.values[error] + one]
    return min(close, key=lambda trial: (trial.values[size], sign * trial.values[error], trial.number)), one


def write_trials(
    path: Path, trials: Sequence[FrozenTrial], keys: Sequence[str], n_objectives: int, *, reported: bool
) -> None:
    """Write ``trials.csv``: one row per trial, with one column per searched parameter.

    With several objectives the values are in `value_0`, `value_1`, ... A pruned trial has its last reported value if
    `reported` says that trials report the objective.
    """
    names = ["value"] if n_objectives == 1 else [f"value_{index}" for index in range(n_objectives)]
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name,
            **dict(zip(names, _values(trial, n_objectives, reported=reported), strict=True)),
            "seconds": trial.user_attrs.get("seconds"),
            "epochs": trial.user_attrs.get("epochs"),
            **{key: trial.params.get(key) for key in keys},
            "reason": reason(trial),
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows).convert_dtypes()
    write_csv(path, table)


def reason(trial: FrozenTrial) -> str | None:
    """Return the reason of a failed trial; None for others."""
    killed = "cut off by a signal, or with its process" if trial.state == TrialState.FAIL else None
    return trial.user_attrs.get(REASON, killed)


def _values(trial: FrozenTrial, n_objectives: int, *, reported: bool) -> list[Any]:
    if trial.state == TrialState.PRUNED and reported and trial.intermediate_values:
        return [trial.intermediate_values[max(trial.intermediate_values)]]
    return list(trial.values) if trial.state == TrialState.COMPLETE else [None] * n_objectives


def _table(
    trials: Sequence[FrozenTrial],
    settings: SweepSettings,
    keys: Sequence[str],
    confirmed: Sequence[Confirmed],
    *,
    shows_errors: bool,
) -> tuple[str, Sequence[str], list[list[str]]]:
    """Return the title, header and rows of the best trials, without parameters that are the same in all."""
    varied = [key for key in keys if len({str(trial.params.get(key)) for trial in trials}) > 1] or list(keys)
    title = "The front" if len(settings.objectives) > 1 else f"The best {len(trials)}"
    rows, again = [], confirmed_cells(trials, confirmed) if confirmed and shows_errors else []
    for index, trial in enumerate(trials):
        values = [
            f"{value:,.0f}" if name == "parameters" else f"{value:.3f}" if shows_errors else "-"
            for name, value in zip(settings.objectives, trial.values, strict=True)
        ]
        parameters = (cell(trial.params.get(key), ".4g") for key in varied)
        rows.append(
            [
                str(trial.number),
                *values,
                *again[index : index + 1],
                str(trial.user_attrs.get("epochs", "-")),
                *parameters,
            ]
        )
    seeds = [f"{N_SEEDS} new seeds"] if again else []
    return title, ("trial", *settings.objectives, *seeds, "epochs", *(key.rpartition(".")[2] for key in varied)), rows
