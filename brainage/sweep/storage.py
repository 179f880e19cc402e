"""The study on disk or in a database: opened by many processes, counted, and left without anything unfinished."""

from __future__ import annotations

import re
import shlex
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from brainage.errors import SweepError
from brainage.system.console import log

# In seconds. A trial whose process does not beat for the grace is taken for dead.
HEARTBEAT, GRACE = 4, 20

# A trial whose process died is tried again this often: a point that kills every process that tries it is left alone.
_RETRIES = 2

# Attributes of the study, and of its trials. A trial that failed without a reason was cut off.
_KEY, _RETRY, _POINT, REASON = "brainage", "retry_of", "point", "reason"

# Beside the keys of the config, this one stands among what the trials of a study have in common.
OBJECTIVES = "hydra.sweeper.objectives"

# To connect, while others that begin at the same moment make the tables.
_ATTEMPTS = 8

_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Plan:
    """What makes trials comparable; noted in the study, and the same for every command that works on it.

    Parameters
    ----------
    space : dict of str to str
        As `Space.described` returns it.
    directions : list of str
        ``minimize`` or ``maximize``, one an objective.
    fixed : dict of str to str
        What every trial has in common, by dotted key.
    """

    space: dict[str, str]
    directions: list[str]
    fixed: dict[str, str]


def shown_url(url: str) -> str:
    """Return a storage's address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return "an address that cannot be read"


def dashboard_command(url: str) -> str:
    """Return the command that opens a study in the browser; a password stands in it as ``***``."""
    shown = _with_driver(make_url(url)).render_as_string(hide_password=True)
    hint = " (your password in place of ***)" if "***" in shown else ""
    return f'optuna-dashboard {shlex.quote(shown)}{hint} (pip install "brainage[dashboard]")'


def _with_driver(address: URL) -> URL:
    """Return an address with the driver that this project installs; SQLAlchemy's own choice is its predecessor."""
    return address.set(drivername="postgresql+psycopg") if address.drivername == "postgresql" else address


def open_storage(url: str, distributions: Mapping[str, BaseDistribution]) -> RDBStorage:
    """Connect to a storage.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
    distributions : mapping of str to BaseDistribution
        What is searched; a trial that died with all of it is tried again.

    Raises
    ------
    SweepError
        It cannot be reached. No password is told.
    """
    shown = shown_url(url)
    try:
        address = make_url(url)
    except sqlalchemy.exc.ArgumentError:
        raise SweepError(
            "`hydra.sweeper.storage` must be an address like sqlite:///FILE or postgresql://USER@HOST/DATABASE, but "
            "cannot be read as one. Correct it, or leave it out for a file in the sweep's folder."
        ) from None
    backend = address.get_backend_name()
    options: dict[str, Any] = {}
    if backend == "sqlite":
        options = {"connect_args": {"timeout": 60}}
    address = _with_driver(address)
    if backend == "postgresql":
        options = {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
    try:
        if backend == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        return _connected(address, options, distributions)
    except ImportError as error:
        raise SweepError(
            f"`hydra.sweeper.storage={shown}` needs a driver that is not installed ({error.name}). For PostgreSQL: "
            'pip install "brainage[postgresql]".'
        ) from None
    except Exception as error:  # every database and driver has errors of its own, whose text may hold the password
        raise SweepError(
            f"`hydra.sweeper.storage={shown}` cannot be reached ({type(error).__name__}). See whether the server runs, "
            "the database exists, and user and password are right."
        ) from None


def _connected(address: URL, options: dict[str, Any], distributions: Mapping[str, BaseDistribution]) -> RDBStorage:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are, and nothing else does it
                return RDBStorage(
                    address.render_as_string(hide_password=False),
                    engine_kwargs=options,
                    heartbeat_interval=HEARTBEAT,
                    grace_period=GRACE,
                    heartbeat_stale_trial_callback=lambda study, trial: retry(study, trial, distributions),
                )
        except DBAPIError as error:
            # Another process makes the same tables at this moment; Optuna does not expect it.
            if attempt == _ATTEMPTS or not re.search("already exists|duplicate key|UNIQUE constraint", str(error)):
                raise
            time.sleep(attempt / 10)
    raise AssertionError("the last attempt returns or raises")


def open_study(storage: RDBStorage, name: str, plan: Plan) -> Study:
    """Open a study, or begin it.

    Parameters
    ----------
    storage : RDBStorage
        Where it is.
    name : str
        Its name.
    plan : Plan
        What its trials have in common.

    Raises
    ------
    SweepError
        There is one of that name, with another direction, space, or config.
    """
    _refuse_other_directions(storage, name, plan)
    directions = [StudyDirection[direction.upper()] for direction in plan.directions]
    study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    noted = {"space": plan.space, "fixed": plan.fixed}
    former = study.user_attrs.get(_KEY)
    if former is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_KEY, noted)
    elif former is None:
        raise _other(name, "was made by something else", "")
    else:
        for part, what in (("space", "searches"), ("fixed", "has")):
            _refuse_difference(name, what, former[part], noted[part])
    return study


def searched_values(study: Study) -> dict[str, BaseDistribution]:
    """Return what a study searches, by dotted key."""
    return {key: json_to_distribution(value) for key, value in study.user_attrs[_KEY]["space"].items()}


def fixed_values(study: Study) -> dict[str, str]:
    """Return what the trials of a study have in common, as JSON by dotted key."""
    return dict(study.user_attrs[_KEY]["fixed"])


def tells_its_values(study: Study) -> bool:
    """Tell whether what trials tell, their validation MSE, is what is optimised: not another metric or the size."""
    fixed = fixed_values(study)
    return fixed.get("objective") == '"val/mse"' and fixed.get(OBJECTIVES) == '["objective"]'


def _refuse_other_directions(storage: RDBStorage, name: str, plan: Plan) -> None:
    with suppress(KeyError):
        study = optuna.load_study(study_name=name, storage=storage)
        found = [direction.name.lower() for direction in study.directions]
        if found != plan.directions:
            raise _other(name, f"has the direction {', '.join(found)}", f"now it is {', '.join(plan.directions)}")


def _refuse_difference(name: str, what: str, former: dict[str, str], now: dict[str, str]) -> None:
    for key in sorted({*former, *now}):
        if former.get(key) != now.get(key):
            raise _other(
                name, f"{what} `{key}` as {former.get(key, 'nothing')}", f"now it is {now.get(key, 'nothing')}"
            )


def _other(name: str, found: str, now: str) -> SweepError:
    return SweepError(
        f"`hydra.sweeper.study_name={name}` {found}{', but ' if now else ''}{now}. Trials of one study must be "
        "comparable: choose another hydra.sweeper.study_name=NAME, or give the same command as before."
    )


def retry(study: Study, trial: FrozenTrial, distributions: Mapping[str, BaseDistribution]) -> None:
    """Let a trial that was cut off be tried again by whoever comes next, unless it was so too often.

    Parameters
    ----------
    study : Study
        Its study.
    trial : FrozenTrial
        The trial, which failed.
    distributions : mapping of str to BaseDistribution
        What a whole point has; a trial that died before it had one is not tried again.
    """
    former, point = trial.user_attrs.get(_RETRY, []), point_of(trial)
    if set(point) == set(distributions) and len(former) < _RETRIES and trial.number not in _retried(study):
        study.enqueue_trial(point, user_attrs={_RETRY: [*former, trial.number]})


def _retried(study: Study) -> set[int]:
    return {number for trial in study.get_trials(deepcopy=False) for number in trial.user_attrs.get(_RETRY, [])}


def note_point(study: Study, trial: FrozenTrial, point: Mapping[str, Any]) -> None:
    """Write a trial's whole point in one step, before its parameters are taken one by one."""
    study._storage.set_trial_user_attr(trial._trial_id, _POINT, dict(point))


def point_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial's point, wherever its process was cut off; empty where there was none yet."""
    return dict(trial.system_attrs.get("fixed_params") or trial.user_attrs.get(_POINT) or trial.params)


def retry_orphans(study: Study, distributions: Mapping[str, BaseDistribution]) -> None:
    """Let those be tried again whose process was failed by one that died before it could say so.

    Parameters
    ----------
    study : Study
        The study.
    distributions : mapping of str to BaseDistribution
        See `retry`.
    """
    long_ago = datetime.now() - timedelta(seconds=GRACE)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if REASON not in trial.user_attrs and trial.datetime_complete and trial.datetime_complete < long_ago:
            retry(study, trial, distributions)


def counted(study: Study) -> int:
    """Return how many trials count towards the budget: those that are complete or pruned."""
    return len(study.get_trials(deepcopy=False, states=_COUNTED))


def running(study: Study) -> list[FrozenTrial]:
    """Return the trials that are under way, or whose process died."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


class Undertaker:
    """Fails the trials of processes that died, and lets them be tried again.

    Parameters
    ----------
    study : Study
        The study.
    distributions : mapping of str to BaseDistribution
        See `retry`.
    """

    def __init__(self, study: Study, distributions: Mapping[str, BaseDistribution]) -> None:
        self._study, self._distributions = study, distributions
        self._beatless: dict[int, float] = {}

    def work(self) -> None:
        """Look once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(self._study)
        # A process that died before its trial's first beat leaves nothing that could go stale.
        now, beating = time.monotonic(), self._with_beats()
        waiting = {trial._trial_id for trial in running(self._study)} - beating
        self._beatless = {trial_id: self._beatless.get(trial_id, now) for trial_id in waiting}
        for trial_id in [trial_id for trial_id, since in self._beatless.items() if now - since > GRACE]:
            if fail(self._study, trial_id):
                log.info("A trial whose process died is failed.")
                retry(self._study, self._study._storage.get_trial(trial_id), self._distributions)

    def _with_beats(self) -> set[int]:
        with _backend(self._study).engine.connect() as connection:
            return set(connection.execute(sqlalchemy.text("SELECT trial_id FROM trial_heartbeats")).scalars())


def _backend(study: Study) -> Any:
    """Return the storage itself, behind Optuna's cache."""
    return getattr(study._storage, "_backend", study._storage)


def fail(study: Study, trial_id: int) -> bool:
    """Record a trial as failed; tell whether it was not over yet."""
    try:
        return study._storage.set_trial_state_values(trial_id, state=TrialState.FAIL)
    except UpdateFinishedTrialError:
        return False


def drop_waiting(study: Study) -> None:
    """Fail what waits to be tried, once the budget is used."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        with suppress(UpdateFinishedTrialError):
            study._storage.set_trial_user_attr(trial._trial_id, REASON, "not tried again: the study has its trials")
        fail(study, trial._trial_id)
