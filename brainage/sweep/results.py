"""What a sweep ends with: a table of all trials, the best ones, and the best as an experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from brainage.sweep.settings import Options
from brainage.sweep.storage import REASON, tells_its_values
from brainage.system.console import show_table
from brainage.system.files import write_whole
from brainage.system.invocation import command_text

# Of the best error, within which the smallest network is named.
_CLOSE = 0.02

_N_SHOWN = 10

# A file of the sweep's folder: whoever writes into the folder holds it.
LOCK = ".lock"


def end(
    study: Study,
    options: Options,
    keys: Sequence[str],
    folder: Path,
    dashboard: str,
    text_of: Callable[[FrozenTrial], str],
) -> None:
    """Write and print what came out.

    Parameters
    ----------
    study : Study
        The study.
    options : Options
        What was asked for.
    keys : sequence of str
        What was searched.
    folder : Path
        The sweep's folder.
    dashboard : str
        The command that opens the study in the browser.
    text_of : callable
        Returns a trial as an experiment's YAML.
    """
    from brainage.sweep.page import write_page

    with FileLock(folder / LOCK):  # several commands may end at the same moment
        trials = study.get_trials(deepcopy=False)
        write_trials(folder / "trials.csv", trials, keys, len(options.objectives), told=tells_its_values(study))
        counts = Counter(trial.state.name for trial in trials)
        result = Result(
            f"Study {options.study_name}: {', '.join(f'{n} {state}' for state, n in sorted(counts.items()))}"
        )
        if best := ranked(study):
            result = _chosen(result, study, best, options, keys, folder)
            target = folder / "experiment" / "best.yaml"
            target.parent.mkdir(parents=True, exist_ok=True)
            text = text_of(result.best[0])
            write_whole(target, lambda path: path.write_text(text))
        _print(result)
        print(f"Trials: {folder / 'trials.csv'}")
        print(f"Report: {write_page(study, options, result, folder)}")
        print(f"Look closer: {dashboard}")


@dataclass(frozen=True)
class Result:
    """What is printed, and stands in the report.

    Parameters
    ----------
    counts : str
        How many trials ended how.
    best : tuple of FrozenTrial
        The one that was chosen.
    title : str
        Of the table of the best.
    header, rows
        That table.
    sentences : tuple of str
        What to do with it.
    """

    counts: str
    best: tuple[FrozenTrial, ...] = ()
    title: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    sentences: Sequence[str] = ()


def _chosen(
    result: Result, study: Study, best: list[FrozenTrial], options: Options, keys: Sequence[str], folder: Path
) -> Result:
    chosen, sentences = best[0], []
    if len(options.objectives) > 1:
        chosen = smallest_of_the_best(study, options)
        sentences.append(f"Within {_CLOSE:.0%} of the best error, trial {chosen.number} is the smallest network.")
    command = command_text("train", "--config-dir", str(folder), "experiment=best")
    sentences.append(f"Train trial {chosen.number}, and test it: {command}")
    title, header, rows = _table(best[:_N_SHOWN], options, keys)
    return Result(result.counts, (chosen,), title, header, rows, sentences)


def _print(result: Result) -> None:
    print(f"\n{result.counts}")
    if result.rows:
        show_table(result.title, result.header, result.rows)
    for sentence in result.sentences:
        print(sentence)


def ranked(study: Study) -> list[FrozenTrial]:
    """Return the complete trials, the best first; with two objectives those of the front, by the first of them."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(study.directions) > 1:
        complete = study.best_trials
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    return sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number))


def smallest_of_the_best(study: Study, options: Options) -> FrozenTrial:
    """Return the network with the fewest parameters whose error is within 2 % of the best one."""
    error, size = options.objectives.index("objective"), options.objectives.index("parameters")
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = -1 if study.directions[error] == StudyDirection.MAXIMIZE else 1
    limit = min(sign * trial.values[error] for trial in complete)
    limit += _CLOSE * abs(limit)
    close = [trial for trial in complete if sign * trial.values[error] <= limit]
    return min(close, key=lambda trial: (trial.values[size], sign * trial.values[error], trial.number))


def write_trials(
    path: Path, trials: Sequence[FrozenTrial], keys: Sequence[str], n_objectives: int, *, told: bool
) -> None:
    """Write ``trials.csv``.

    Parameters
    ----------
    path : Path
        The file.
    trials : sequence of FrozenTrial
        All of them.
    keys : sequence of str
        What was searched; a column each.
    n_objectives : int
        With two, the columns `value_0` and `value_1` stand in the place of `value`.
    told : bool
        Whether a pruned trial's value is the last that it told: the validation MSE, which may not be the objective.
    """
    import pandas as pd

    names = ["value"] if n_objectives == 1 else [f"value_{index}" for index in range(n_objectives)]
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name,
            **dict(zip(names, _values(trial, n_objectives, told=told), strict=True)),
            "seconds": trial.user_attrs.get("seconds"),
            "epochs": trial.user_attrs.get("epochs"),
            **{key: trial.params.get(key) for key in keys},
            "reason": _reason(trial),
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows).convert_dtypes()
    write_whole(path, lambda partial: table.to_csv(partial, index=False))


def _reason(trial: FrozenTrial) -> str | None:
    """Return why a trial failed."""
    cut_off = "cut off by a signal, or with its process" if trial.state == TrialState.FAIL else None
    return trial.user_attrs.get(REASON, cut_off)


def _values(trial: FrozenTrial, n_objectives: int, *, told: bool) -> list[Any]:
    if trial.state == TrialState.PRUNED and told and trial.intermediate_values:
        return [trial.intermediate_values[max(trial.intermediate_values)]]
    return list(trial.values) if trial.state == TrialState.COMPLETE else [None] * n_objectives


def _table(
    trials: Sequence[FrozenTrial], options: Options, keys: Sequence[str]
) -> tuple[str, Sequence[str], list[list[str]]]:
    """Return the title, header and rows of the best trials; parameters that none of them varies are left out."""
    varied = [key for key in keys if len({str(trial.params.get(key)) for trial in trials}) > 1] or list(keys)
    title = "The front" if len(options.objectives) > 1 else f"The best {len(trials)}"
    rows = [
        [
            str(trial.number),
            *(
                f"{value:,.0f}" if name == "parameters" else f"{value:.3f}"
                for name, value in zip(options.objectives, trial.values, strict=True)
            ),
            str(trial.user_attrs.get("epochs", "-")),
            *(_text(trial.params.get(key)) for key in varied),
        ]
        for trial in trials
    ]
    return title, ("trial", *options.objectives, "epochs", *(key.rpartition(".")[2] for key in varied)), rows


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
