"""The modality and the experiment that a survey proposes."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from brainage.config.groups.cohort import CohortConfig, OwnCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.data.store.exclusions import exceeds
from brainage.data.store.resample import same
from brainage.data.survey.cohort import Survey
from brainage.data.survey.series import Series, proposed_length
from brainage.errors import CohortError

# A query of participants with an age.
_AGED = "age == age"
# Share of participants whose missing channels are made zero instead of excluding them.
_MANY = 0.05
# Keys of a cohort's config that are paths, and one that only a command line may give.
_PATHS, _NOT_WRITTEN = ("root", "phenotypes", "exclude_ids"), ("name", "download", "arguments")


@dataclass(frozen=True)
class Plan:
    """A modality and a cohort, as values of their configs.

    Parameters
    ----------
    modality : str
        Its name.
    is_new : bool
        Whether it is none of this project's, and so has a config of its own.
    values : dict
        Values of its config or, of a modality of this project, those that differ.
    cohort : dict
        Values of the cohort's config, without its name.
    n_times, n_channels : int
        What a network sees.
    n_kept, n_scanned : int
        Participants with an age and a file who are kept, and all of them.
    limit : float or None
        The share of participants who may be excluded, where that of the config is too low.
    """

    modality: str
    is_new: bool
    values: dict[str, Any]
    cohort: dict[str, Any]
    n_times: int
    n_channels: int
    n_kept: int
    n_scanned: int
    limit: float | None = None


def plan_of(survey: Survey, known: Mapping[str, Mapping[str, Any]]) -> Plan:
    """Return the proposal; raise CohortError if no participant is left to train on.

    `known` are this project's modalities, as the plain values of their configs by name.
    """
    series = _usable(survey)
    found, modality = survey.found, survey.found.modality
    is_known = modality.dimension == series.n_channels and _is_known(survey, series)
    n_times = _length(survey.lengths(), modality.n_times if is_known else None)
    values = _different(modality, known[modality.name], n_times, survey) if is_known else _own(series, n_times, survey)
    missing, kept = _missing(series, n_times, survey.aged)
    if missing is not None:
        values["missing"] = missing
    limit = _limit(len(survey.aged) - len(kept), len(survey.aged), found.cohort.max_excluded_fraction)
    return Plan(
        modality=modality.name if is_known else _name(found.cohort, known),
        is_new=not is_known,
        values=values,
        cohort=cohort_values(found.cohort) | _changes(survey, limit),
        n_times=n_times,
        n_channels=modality.n_channels if is_known else series.n_channels,
        n_kept=len(kept),
        n_scanned=len(survey.aged),
        limit=limit,
    )


def _usable(survey: Survey) -> Series:
    """Return the series of a survey; raise CohortError if no participant has an age and usable ones."""
    if survey.found.table is None:
        raise CohortError(f"{survey.problems[0]} Without a table of ages, there is nothing to train on.")
    if survey.series is None or not survey.lengths():
        raise CohortError(
            f"`cohort`: participants with an age must have a file that can be read, but none of {len(survey.aged)} has "
            "one. The tables above say why."
        )
    return survey.series


def _length(lengths: Sequence[int], usual: int | None) -> int:
    """Return time points that a network sees: as usual, unless too many participants have fewer."""
    n_long = 0 if usual is None else sum(length >= usual for length in lengths)
    return usual if usual is not None and n_long >= (1 - _MANY) * len(lengths) else proposed_length(lengths)


def _limit(n_excluded: int, n: int, limit: float) -> float | None:
    """Return a limit of exclusions that these do not exceed; None if the given one is enough."""
    return min(1.0, math.ceil(100 * n_excluded / n + 1) / 100) if exceeds(n_excluded, n, limit) else None


def _changes(survey: Survey, limit: float | None) -> dict[str, Any]:
    """Return values of the cohort's config without which a run would stop."""
    changes: dict[str, Any] = {} if limit is None else {"max_excluded_fraction": limit}
    if survey.both - survey.aged:  # scans without an age
        query = survey.found.cohort.include
        changes["include"] = _AGED if query is None else f"({query}) and {_AGED}"
    return changes


def _is_known(survey: Survey, series: Series) -> bool:
    """Return whether files are those of the modality that was looked for: an ICA's channels have no names."""
    modality, rows_are_channels = survey.found.modality, series.orientation.rows_are_channels
    if not survey.found.is_expected or rows_are_channels != (modality.orientation == "rows_are_channels"):
        return False
    return modality.good_components is None or series.names is None


def _t_r(survey: Survey) -> float | None:
    """Return the one repetition time of all scans whose is known; None if they have several, or it is unknown."""
    known = survey.t_r.dropna()
    if known.empty:
        return None
    middle = float(known.median())
    return round(middle, 4) if same(known, middle).all() else None


def _different(modality: ModalityConfig, usual: Mapping[str, Any], n_times: int, survey: Survey) -> dict[str, Any]:
    """Return the values of a modality that its config does not have, with the length and the repetition time found."""
    values = {
        field.name: getattr(modality, field.name)
        for field in fields(modality)
        if field.name not in ("name", "n_channels")
        and getattr(modality, field.name) != usual.get(field.name, field.default)
    }
    if n_times != modality.n_times:
        values["n_times"] = n_times
    known, t_r = survey.t_r.notna().any(), _t_r(survey)
    if known and modality.t_r is not None and (t_r is None or not same(t_r, modality.t_r)):
        values["t_r"] = t_r
    return values


def _own(series: Series, n_times: int, survey: Survey) -> dict[str, Any]:
    rows = {"orientation": "rows_are_channels"} if series.orientation.rows_are_channels else {}
    return {"dimension": series.n_channels, "n_times": n_times, "t_r": _t_r(survey), **rows}


def _missing(series: Series, n_times: int, aged: set[str]) -> tuple[str | None, set[str]]:
    """Return whether missing channels are to be zero, and the participants who are kept."""
    whole, zero = (series.usable(n_times, share) & aged for share in (0.0, ModalityConfig.max_missing_fraction))
    return ("zero", zero) if len(zero) - len(whole) > _MANY * len(aged) else (None, whole)


def _name(cohort: CohortConfig, taken: Collection[str]) -> str:
    """Return a new name for a modality: that of the atlas in the pattern, if it has one."""
    pattern = getattr(cohort, "pattern", "")
    atlas = re.search(r"(?:seg|atlas)-([A-Za-z0-9]+)", pattern)
    return atlas[1].lower() if atlas and atlas[1].lower() not in taken else "mine"


def cohort_values(cohort: CohortConfig) -> dict[str, Any]:
    """Return the values of a cohort's config that are not the defaults, with whole paths."""
    values: dict[str, Any] = {}
    for field in fields(cohort):
        value = getattr(cohort, field.name)
        default = field.default if field.default is not MISSING else None
        if field.name not in _NOT_WRITTEN and value != default and value not in (None, {}):
            values[field.name] = _absolute(value) if field.name in _PATHS else value
    return {**values, **(cohort.arguments or {} if isinstance(cohort, OwnCohortConfig) else {})}


def _absolute(value: Any) -> Any:
    return [_absolute(one) for one in value] if isinstance(value, list) else str(Path(value).expanduser().absolute())
