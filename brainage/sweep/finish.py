"""The end of a sweep: its tables, page and best experiment are written, and the result is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial

from brainage.sweep.confirm import Confirmed, write_confirmation
from brainage.sweep.page import write_page
from brainage.sweep.results import locked, sweep_result, write_trials
from brainage.sweep.settings import SweepSettings
from brainage.sweep.storage import reports_objective, search_space
from brainage.system.files import write_text


def finish_sweep(
    study: Study,
    settings: SweepSettings,
    folder: Path,
    dashboard: str,
    experiment: Callable[[FrozenTrial], str],
    confirmed: Sequence[Confirmed] = (),
) -> FrozenTrial | None:
    """Write and print the result; return the chosen trial. `dashboard` is a command, `experiment` a trial's YAML."""
    with locked(folder):  # several commands may end at the same moment
        trials, keys = study.get_trials(deepcopy=False), list(search_space(study))
        n_objectives = len(settings.objectives)
        write_trials(folder / "trials.csv", trials, keys, n_objectives, reported=reports_objective(study))
        if confirmed:
            write_confirmation(folder / "confirmation.csv", confirmed)
        result = sweep_result(study, settings, folder, confirmed)
        if result.best:
            target, text = folder / "experiment" / "best.yaml", experiment(result.best[0])
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, text)
        result.show()
        print(f"Trials: {folder / 'trials.csv'}")
        print(f"Report: {write_page(study, settings, result, folder)}")
        print(f"Look closer: {dashboard}")
    return result.best[0] if result.best else None
