"""The page of a sweep: search space, history, importances, failures."""

from __future__ import annotations

import datetime
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.reporting.figure import Figure
from brainage.reporting.page import Page, Section, Table, made_with, write_report
from brainage.sweep import figures
from brainage.sweep.phases import outlook, phases, pruning_text
from brainage.sweep.results import Result, reason
from brainage.sweep.settings import SweepSettings
from brainage.sweep.storage import fixed_values, reports_objective, search_space

# Importances of fewer complete trials would be noise.
_FEWEST = 10


def write_page(study: Study, settings: SweepSettings, result: Result, folder: Path) -> Path:
    """Write ``report.html`` and its figures into the sweep's folder and return its path."""
    trials = study.get_trials(deepcopy=False)
    table = [Table(result.header, result.rows, title=result.title)] if result.rows else []
    sections = [Section("Result", [result.counts, *result.sentences], table)]
    if any(trial.state == TrialState.COMPLETE for trial in trials):
        sections += [_course(study, settings, result), _parameters(study, settings, result)]
    sections += [_time(study, settings, result), *_failures(trials), _about(study)]
    return write_report(folder, Page(f"Sweep {settings.study_name}", _lead(study, settings, trials), sections))


def _lead(study: Study, settings: SweepSettings, trials: Sequence[FrozenTrial]) -> list[str]:
    space = search_space(study)
    searched = "; ".join(f"{key} {_range(value)}" for key, value in space.items())
    names = _names(study, settings)
    wanted = " and ".join(
        f"{'low' if direction == StudyDirection.MINIMIZE else 'high'} {name}"
        for name, direction in zip(names, study.directions, strict=True)
    )
    epochs = sum(trial.user_attrs.get("epochs") or 0 for trial in trials)
    spent = sum(trial.user_attrs.get("seconds") or 0.0 for trial in trials)
    return [
        f"Searched for a {wanted} over {len(space)} parameters: {searched}.",
        f"{len(trials)} trials, {epochs:,} epochs, {datetime.timedelta(seconds=round(spent))} of work. The test set "
        "was not looked at.",
    ]


def _range(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(str(choice) for choice in distribution.choices)
    log = " (log)" if distribution.log else ""  # type: ignore[attr-defined]
    return f"{distribution.low:g} to {distribution.high:g}{log}"  # type: ignore[attr-defined]


def _names(study: Study, settings: SweepSettings) -> list[str]:
    objective = fixed_values(study).get("objective", "objective").strip('"')
    return [objective if name == "objective" else name for name in settings.objectives]


def _course(study: Study, settings: SweepSettings, result: Result) -> Section:
    if not result.shows_errors:
        return Section("History", [f"Errors of fewer than {MIN_SHOWN} validation participants are not shown."])
    trials, names = study.get_trials(deepcopy=False), _names(study, settings)
    maximize = study.directions[0] == StudyDirection.MAXIMIZE
    if len(names) > 1:
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        front = figures.front(complete, study.best_trials, result.best[0], names, maximize=maximize)
        return Section("Front", figures=[front])
    reported = reports_objective(study)
    drawn = [figures.history(trials, names[0], maximize=maximize, reported=reported)]
    if any(trial.intermediate_values for trial in trials):
        name = "validation MSE" if reported else f"validation MSE ({names[0]} counts)"
        drawn.append(figures.curves(trials, name, result.best[0], maximize=maximize))
    return Section("History", figures=drawn)


def _parameters(study: Study, settings: SweepSettings, result: Result) -> Section:
    name = _names(study, settings)[0]
    maximize = study.directions[0] == StudyDirection.MAXIMIZE
    space = {key: value for key, value in search_space(study).items() if not value.single()}
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not space:
        return Section("Parameters", ["Every parameter had one value."])
    drawn: list[Figure] = []
    if len(complete) >= _FEWEST:
        drawn.append(figures.importances(_importances(study)))
        text = (
            "Importances are PED-ANOVA's (Watanabe et al. 2023, doi 10.24963/ijcai.2023/488), over complete trials: "
            "they describe what distinguishes good trials, not what would cause an improvement."
        )
    else:
        text = f"Importances need {_FEWEST} complete trials, and there are {len(complete)}."
    drawn.append(figures.parallel(complete, space, name, maximize=maximize))
    if result.shows_errors:
        valued = trials if reports_objective(study) else complete
        drawn.append(figures.slices(valued, space, name, maximize=maximize))
    return Section("Parameters", [text], figures=drawn)


def _importances(study: Study) -> dict[str, float]:
    """Return the importance of each parameter for the first objective; equal ones if all values are equal."""
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    with warnings.catch_warnings():
        # PedAnova warns that low values of a target are the good ones, and of ties.
        expected = "PedAnova.* computes the importances|Target and region quantiles"
        warnings.filterwarnings("ignore", expected, UserWarning)
        return dict(optuna.importance.get_param_importances(study, target=lambda trial: sign * trial.values[0]))


def _time(study: Study, settings: SweepSettings, result: Result) -> Section:
    trials = study.get_trials(deepcopy=False)
    known = [trial for trial in trials if trial.user_attrs.get("seconds") is not None]
    if not known:
        return Section("Time", ["No trial has ended yet."])
    trained = [trial for trial in known if trial.user_attrs.get("fit_seconds") is not None]
    seconds = sorted(trial.user_attrs["seconds"] for trial in known)
    texts = [f"A trial took {seconds[len(seconds) // 2]:.1f} s (median), {seconds[-1]:.1f} s at most."]
    if trained:
        beyond = sorted(trial.user_attrs["seconds"] - trial.user_attrs["fit_seconds"] for trial in trained)
        texts.append(f"Beyond its training it took {beyond[len(beyond) // 2]:.2f} s (median).")
    texts.append(pruning_text(trials))
    maximize = study.directions[0] == StudyDirection.MAXIMIZE
    if len(study.directions) == 1 and result.shows_errors:
        squared = _names(study, settings) == ["val/mse"]
        texts += filter(None, [outlook(study, maximize=maximize, squared=squared)])
    return Section("Time", texts, [_phases(study, settings, result)], [figures.durations(known)])


def _phases(study: Study, settings: SweepSettings, result: Result) -> Table:
    found = phases(study, settings, result.confirmed)
    whole = sum(phase.seconds for phase in found) or 1.0
    rows = []
    for phase in found:
        states = Counter(trial.state for trial in phase.trials)
        counts = [str(states[state]) for state in (TrialState.COMPLETE, TrialState.PRUNED)]
        rows.append([phase.name, *counts, f"{phase.seconds:.0f}", f"{phase.seconds / whole:.0%}"])
    return Table(("phase", "complete", "pruned", "seconds", "of the time"), rows, title="Time by phase")


def _failures(trials: Sequence[FrozenTrial]) -> list[Section]:
    reasons = Counter(str(reason(trial)) for trial in trials if trial.state == TrialState.FAIL)
    if not reasons:
        return []
    rows = [[why, str(count)] for why, count in reasons.most_common()]
    return [Section("Failed trials", tables=[Table(("reason", "trials"), rows, text=True)])]


def _about(study: Study) -> Section:
    rows = [*made_with(), ("Optuna", optuna.__version__)]
    listing = "\n".join(f"{key}: {value}" for key, value in sorted(fixed_values(study).items()))
    title = "Values that all trials share"
    return Section("What was run", tables=[Table((), rows, text=True)], listing=listing, listing_title=title)
