"""The Optuna study of a sweep, in a file or a database that many processes share."""

from __future__ import annotations

import re
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study, StudyDirection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from brainage.errors import SweepError
from brainage.sweep.recovery import GRACE, HEARTBEAT, experimental, retry
from brainage.sweep.storage_errors import STORAGE_ERRORS, unreachable

# The study's user attribute with its terms.
_KEY = "brainage"

# Keys that may differ between commands of one study: folders, atlases, loggers, hardware, reports.
FREE = re.compile(
    r"(logger|store|outputs|report|resume|modality\.atlas|intervals|permutations|groups\.n_permutations"
    r"|trainer\.(accelerator|compile|devices|strategy|precision|enable_\w+|profiler|log_every_n_steps))(\.|$)"
)

# Keys that version 0.1 did not have, and what its trials had instead, as JSON.
_SINCE = {
    "cohort.allow_unmatched_ids": "false",
    "cohort.columns": "{}",
    "cohort.parts.connectivity": "1.0",
    "cohort.parts.dynamics": "1.0",
    "cohort.parts.spectrum": "1.0",
    "cohort.sex_codes": "{}",
    "cohort.sites": '"alike"',
    "cohort.t_r": "0.735",
    "cohort.visit": '"first"',
    "harmonize": '"none"',
    "modality.max_interpolated_fraction": "0.0",
    "modality.max_missing_fraction": "0.1",
    "modality.missing": '"exclude"',
    "modality.orientation": '"rows_are_times"',
    "modality.resample": "false",
    "modality.scale": '"zscore"',
    "modality.windows": '"first"',
    "model.growth": '"convolution"',
    "model.readout": '"flatten"',
    "recipe.shuffle_time": "false",
}

# Among the keys of the config, the terms have these; the latter only if a trial has several trainings.
OBJECTIVES, OVER = "hydra.sweeper.objectives", "hydra.sweeper.over"

# Names of passwords in the query of an address: libpq has `password` and `sslpassword`.
_PASSWORDS = re.compile(r"pass(word|wd)?$|pwd$|secret|token", re.IGNORECASE)

# To connect: processes that start at the same moment create the tables at the same moment.
_ATTEMPTS = 8

_ENGINE_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"connect_args": {"timeout": 60}},
    "postgresql": {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}},
}


@dataclass(frozen=True)
class StudyTerms:
    """What makes the trials of a study comparable, the same for every command: values are JSON by dotted key."""

    space: dict[str, str]
    directions: list[str]
    fixed: dict[str, str]


def shown_url(url: str) -> str:
    """Return a storage's address without its password, also one in its query (``?password=``)."""
    try:
        return _shown(make_url(url))
    except ArgumentError:
        return "an address that cannot be read"


def _shown(address: URL) -> str:
    query = {name: "***" if _PASSWORDS.search(name) else value for name, value in address.query.items()}
    return address.set(query=query).render_as_string(hide_password=True).replace(quote_plus("***"), "***")


def dashboard_command(url: str) -> str:
    """Return the command that opens a study in the browser, with ``***`` for a password."""
    shown = _shown(_with_driver(make_url(url)))
    hint = " (your password in place of ***)" if "***" in shown else ""
    return f'optuna-dashboard {shlex.quote(shown)}{hint} (pip install "brainage[dashboard]")'


def _with_driver(address: URL) -> URL:
    """Return an address with psycopg, which this project installs; SQLAlchemy would choose psycopg2."""
    return address.set(drivername="postgresql+psycopg") if address.drivername == "postgresql" else address


def open_storage(url: str) -> RDBStorage:
    """Connect to a storage; stale trials are retried."""
    shown = shown_url(url)
    try:
        address = _with_driver(make_url(url))
    except ArgumentError:
        raise SweepError(
            "`hydra.sweeper.storage` must be an address like sqlite:///FILE or postgresql://USER@HOST/DATABASE, but "
            "cannot be read as one. Correct it, or leave it out for a file in the sweep's folder."
        ) from None
    try:
        return _connected(address)
    except ImportError as error:
        raise SweepError(
            f"`hydra.sweeper.storage={shown}` needs a driver that is not installed ({error.name}). For PostgreSQL: "
            'pip install "brainage[postgresql]".'
        ) from None
    except Exception as error:  # databases and drivers have their own errors, whose text may contain the password
        server = (
            "cannot be reached ({}). Check that the server runs, the database exists, and user and password are right."
        )
        raise SweepError(unreachable(shown, error, server)) from None


class _Storage(RDBStorage):
    """A storage whose heartbeats go on after a time without an answer, which a trial's next report notices."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Record that a trial is running, if the storage answers."""
        with suppress(*STORAGE_ERRORS):
            super().record_heartbeat(trial_id)


def _connected(address: URL) -> RDBStorage:
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    options = _ENGINE_OPTIONS.get(address.get_backend_name(), {})
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with experimental():
                return _Storage(
                    address.render_as_string(hide_password=False),
                    engine_kwargs=options,
                    heartbeat_interval=HEARTBEAT,
                    grace_period=GRACE,
                    heartbeat_stale_trial_callback=retry,
                )
        except DBAPIError as error:
            # Another process creates the same tables at this moment; Optuna does not expect it.
            if attempt == _ATTEMPTS or not re.search("already exists|duplicate key|UNIQUE constraint", str(error)):
                raise
            time.sleep(attempt / 10)
    raise AssertionError("the last attempt returns or raises")


def open_study(storage: BaseStorage, name: str, terms: StudyTerms) -> Study:
    """Open or create a study."""
    directions = [StudyDirection[direction.upper()] for direction in terms.directions]
    study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    found = [direction.name.lower() for direction in study.directions]
    if found != terms.directions:
        raise _other_study(name, f"has the direction {', '.join(found)}", ", ".join(terms.directions))
    now = {"space": terms.space, "fixed": terms.fixed}
    former = study.user_attrs.get(_KEY)
    if former is None:
        if study.get_trials(deepcopy=False):
            raise _other_study(name, "was created by another program")
        study.set_user_attr(_KEY, now)
        return study
    if not isinstance(former, dict) or not all(isinstance(former.get(part), dict) for part in now):
        raise _other_study(name, "was created by another program")
    for part, verb in (("space", "searches"), ("fixed", "has")):
        for key in sorted(key for key in {*former[part], *now[part]} if not FREE.match(key)):
            unknown = _SINCE.get(key, "nothing")
            before, value = former[part].get(key, unknown), now[part].get(key, "nothing")
            both_null = former[part].get(key, "null") == now[part].get(key, "null") == "null"  # in keys that are new
            if before != value and not both_null:
                raise _other_study(name, f"{verb} `{key}` as {before}", value)
    return study


def search_space(study: Study) -> dict[str, BaseDistribution]:
    """Return the distributions that a study searches, by dotted key."""
    return {key: json_to_distribution(value) for key, value in study.user_attrs[_KEY]["space"].items()}


def fixed_values(study: Study) -> dict[str, str]:
    """Return the values that all trials of a study share, as JSON by dotted key."""
    return dict(study.user_attrs[_KEY]["fixed"])


def reports_objective(study: Study) -> bool:
    """Return whether the validation MSE that trials report every epoch is the study's only objective."""
    fixed = fixed_values(study)
    return fixed.get("objective") == '"val/mse"' and fixed.get(OBJECTIVES) == '["objective"]' and OVER not in fixed


def _other_study(name: str, found: str, now: str | None = None) -> SweepError:
    but = f", but now it is {now}" if now else ""
    return SweepError(
        f"`hydra.sweeper.study_name={name}` {found}{but}. Trials of one study must be comparable: "
        "choose another hydra.sweeper.study_name=NAME, or give the same command as before."
    )
