"""Repetition times of participants' scans: known from several sources, compared with that of a modality."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from brainage.config.groups.modality import ModalityConfig
from brainage.data.store.formats import CIFTI
from brainage.data.store.resample import same
from brainage.data.store.series import FileScan, Scan, TimedScan, ZipScan
from brainage.data.store.several import SeveralScans, first_of
from brainage.errors import CohortError


def with_t_r(table: pd.DataFrame, scans: Mapping[str, Scan], stated: float | None = None) -> pd.DataFrame:
    """Return a table whose column ``t_r`` has each participant's repetition time, in seconds; NaN where unknown.

    It is that of the scan's metadata, of the column ``t_r`` of the table, or the one `stated` for all. Raises
    CohortError where two of them differ. Of several scans it is that of the first.
    """
    of_scans = table["participant_id"].map({participant: own_t_rs(scan)[0] for participant, scan in scans.items()})
    sources = {"the files' metadata": of_scans.astype("float64")}
    if "t_r" in table:
        sources["the column `t_r`"] = table["t_r"]
    if stated is not None:
        sources["`cohort.t_r`"] = pd.Series(stated, table.index)
    known = pd.DataFrame(sources)[table["participant_id"].isin(list(scans))]
    for first, second in itertools.combinations(known, 2):
        _check_agree(known[first], known[second])
    return table.assign(t_r=known.bfill(axis=1).iloc[:, 0].reindex(table.index))


def own_t_rs(scan: Scan, otherwise: float = math.nan) -> list[float]:
    """Return the repetition time of a scan, or of each of several, or `otherwise` where its metadata have none."""
    each = [one.scan for one in scan.scans] if isinstance(scan, SeveralScans) else [scan]
    return [getattr(one, "t_r", None) or otherwise for one in each]


def timed_scans(table: pd.DataFrame, scans: Mapping[str, Scan]) -> dict[str, Scan]:
    """Return scans that are read with their repetition times, those of `with_t_r` where they have none themselves.

    Raises CohortError if none is known, and none can be in a file.
    """
    known = table.set_index("participant_id")["t_r"].dropna()
    if known.empty and not any(_may_have_t_r(first_of(scan)) for scan in scans.values()):
        raise CohortError(
            f"`resample=true` needs repetition times of series, but of {len(scans)} participants none is known. "
            "Give it with cohort.t_r=SECONDS, a column `t_r` of the table, or JSON files beside the series."
        )
    return {one: _timed(scan, known.get(one, math.nan)) for one, scan in scans.items()}


def _may_have_t_r(scan: Scan) -> bool:
    """Return whether what is read may have a repetition time: CIFTI files, and scans of the user's own."""
    return not isinstance(scan, ZipScan | FileScan) or scan.path.name.endswith(CIFTI)


def _timed(scan: Scan, t_r: float) -> Scan:
    if isinstance(scan, SeveralScans):
        return replace(scan, scans=tuple(replace(one, scan=_timed(one.scan, t_r)) for one in scan.scans))
    (own,) = own_t_rs(scan, t_r)
    return scan if math.isnan(own) else TimedScan(scan, own)


def with_stored_t_r(table: pd.DataFrame, stored: Mapping[str, float]) -> pd.DataFrame:
    """Return a table whose column ``t_r`` also has what participants' files themselves have; see `with_t_r`."""
    known = table["t_r"] if "t_r" in table else pd.Series(np.nan, table.index, dtype="float64")
    of_files = table["participant_id"].map(stored).astype("float64").rename("the files' headers")
    _check_agree(known.rename("their metadata, or the table,"), of_files)
    return table.assign(t_r=known.fillna(of_files))


def _check_agree(one: pd.Series, other: pd.Series) -> None:
    wrong = ~same(one, other)
    if wrong.any():
        pairs = (one[wrong].map(text) + " and " + other[wrong].map(text)).value_counts()
        raise CohortError(
            f"{one.name} and {other.name} must have the same repetition times, but {int(wrong.sum())} of {len(one)} "
            f"participants have two: {_listed(pairs)}. Correct one of them, or leave it out."
        )


def check_t_r(table: pd.DataFrame, expected: Sequence[float] | None, subject: str, step: str) -> None:
    """Raise CohortError if a participant's repetition time is none of those expected; None expects any.

    The table has the columns ``participant_id`` and ``t_r``, and a row for each participant or scan.
    `subject` and `step` are the beginning and the end of the message.
    """
    known = table[table["t_r"].notna()]
    if expected is None or known.empty:
        return
    other = known[~np.any([same(known["t_r"], t_r) for t_r in expected], axis=0)]
    if len(other):
        n_other, n_known = (rows["participant_id"].nunique() for rows in (other, known))
        raise CohortError(
            f"{subject}, but {n_other} of {n_known} participants have another repetition time: "
            f"{_listed(other['t_r'].map(text).value_counts())}. {step}"
        )


def check_for_training(table: pd.DataFrame, modality: ModalityConfig) -> None:
    """Raise CohortError if a participant's repetition time is not that of the modality; see `check_t_r`."""
    if modality.t_r is None or modality.resample:
        return
    check_t_r(
        table,
        [modality.t_r],
        f"`modality.t_r={modality.t_r}` must be the repetition time of all series, to within 1 %",
        f"Use modality.t_r=SECONDS if theirs is the same, modality.resample=true to resample to {text(modality.t_r)}, "
        "or modality.t_r=null to train on several.",
    )


def t_r_counts(t_r: pd.Series[float]) -> dict[str, int]:
    """Return how many participants have each repetition time, in seconds to milliseconds, or ``unknown``."""
    counts = Counter("unknown" if math.isnan(value) else f"{round(value, 3):g}" for value in t_r)
    return dict(sorted(counts.items()))


def text(t_r: float) -> str:
    """Return a repetition time with its unit, to milliseconds."""
    return f"{round(t_r, 3):g} s"


def _listed(counts: pd.Series[int], limit: int = 5) -> str:
    more = f" and {len(counts) - limit} more" if len(counts) > limit else ""
    return ", ".join(f"{value} ({count})" for value, count in counts.head(limit).items()) + more
