"""Participants with their rows in a store: what networks and baselines are trained on, tested on and applied to."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.config.groups.modality import ModalityConfig
from brainage.data.scale import Scaling, has_percent
from brainage.data.store.layout import Store
from brainage.data.store.open import find_store, open_store
from brainage.data.store.reading import Reading
from brainage.data.store.several import SeveralScans
from brainage.data.t_r import t_r_counts, timed_scans, with_stored_t_r
from brainage.errors import CohortError, ConfigError
from brainage.system.console import log

if TYPE_CHECKING:
    from brainage.data.cohorts.select import Selection

# Columns that this project adds to a cohort's table; a cohort's own columns of these names are dropped.
RESERVED_COLUMNS = ("table_row", "row", "scan", "split", "predicted_age", "bag", "bag_corrected", "predicted_age_sd",
                    "predicted_age_low", "predicted_age_high")  # fmt: skip


@dataclass(frozen=True)
class ScanOfRow:
    """A scan within a row of a store: from time point `begin` to `end`, at this age, in years.

    `number` is its place among all scans of the store.
    """

    label: str
    number: int
    begin: int
    end: int
    age: float


@dataclass(frozen=True)
class Participants:
    """Participants of a cohort whose series are in a store.

    Parameters
    ----------
    table : DataFrame
        One row a participant, sorted by id: ``participant_id``, ``age`` (years; NaN where unknown), ``row`` (in the
        store), ``split`` where one was drawn, and the cohort's other columns.
    store : Store
        The time series.
    channels : tuple of int
        Indices of the components that a network sees.
    n_times : int
        Time points that a network sees at once.
    scan_ages : dict of (str, str) to float
        Ages at the scans of those who have several, in years, by participant and label of the scan.
    shuffle_seed : int or None
        Seed by which a network sees shuffled time points, see ``brainage/data/time_order.py``; None keeps their order.
    t_r : float or None
        Repetition time of all series, in seconds; None where each has its own, in the table.
    scale : {"zscore", "percent", "none"}
        The scale of the series that a network sees; the store's are z-scores.
    """

    table: pd.DataFrame
    store: Store
    channels: tuple[int, ...]
    n_times: int
    scan_ages: Mapping[tuple[str, str], float] = field(default_factory=dict)
    shuffle_seed: int | None = None
    t_r: float | None = None
    scale: str = "zscore"

    def __len__(self) -> int:
        return len(self.table)

    @property
    def rows(self) -> NDArray[np.intp]:
        """Rows in the store, of shape (n_participants,)."""
        return self.table["row"].to_numpy(np.intp)

    @property
    def ages(self) -> NDArray[np.float64]:
        """Ages in years, of shape (n_participants,)."""
        return self.table["age"].to_numpy(np.float64)

    @property
    def repetition_times(self) -> NDArray[np.float64]:
        """Repetition times of the series, in seconds, of shape (n_participants,); NaN where unknown."""
        if self.t_r is None and "t_r" in self.table:
            return self.table["t_r"].to_numpy(np.float64)
        return np.full(len(self), np.nan if self.t_r is None else self.t_r)

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """Names of the channels that a network sees, in its order; None if the files have none."""
        names = self.store.channels
        return None if names is None else tuple(names[channel] for channel in self.channels)

    @property
    def scaling(self) -> Scaling:
        """From the store's z-scores to the scale that a network sees, of its channels of all scans of the store."""
        if self.scale == "zscore":
            return Scaling()
        return Scaling.of(self.scale, self._moments()[:, list(self.channels)])

    def _moments(self) -> NDArray[np.float64]:
        if self.store.moments is None:
            raise ValueError(f"scale={self.scale} needs a store with means and SDs")
        return self.store.moments

    @property
    def checksums(self) -> NDArray[np.uint32]:
        """CRC-32 of each participant's series in the store and, unless they are z-scored, of their means and SDs."""
        stored, first = self.store.checksums[self.rows], self.store.first_scans
        if self.scale == "zscore":
            return stored
        moments = [self._moments()[first[row] : first[row + 1]].tobytes() for row in self.rows]
        found = [zlib.crc32(known, int(start)) for known, start in zip(moments, stored, strict=True)]
        return np.array(found, dtype=np.uint32)

    def part(self, *parts: str) -> Participants:
        """Return the participants of some parts of the split.

        Parameters
        ----------
        *parts : str
            ``train``, ``val`` or ``test``.
        """
        return self.where(self.table["split"].isin(parts).to_numpy())

    def where(self, chosen: NDArray[np.bool_]) -> Participants:
        """Return some of the participants.

        Parameters
        ----------
        chosen : array of bool of shape (n_participants,)
            Whether each of them is kept.
        """
        return replace(self, table=self.table[chosen].reset_index(drop=True))

    def scans(self, position: int) -> list[ScanOfRow]:
        """Return the scans of a participant that are as long as a network needs.

        Parameters
        ----------
        position : int
            The participant's position in the table, from 0.
        """
        row, table = int(self.table["row"].iloc[position]), self.table
        participant, age = table["participant_id"].iloc[position], float(table["age"].iloc[position])
        begin, found, first = 0, [], int(self.store.first_scans[row])
        for number, (label, length) in enumerate(self.store.scans_of(row), first):
            if length >= self.n_times and ("scan" not in table or table["scan"].iloc[position] == label):
                age_then = self.scan_ages.get((participant, label), age)
                found.append(ScanOfRow(label, number, begin, begin + length, age_then))
            begin += length
        return found

    def by_scan(self) -> Participants:
        """Return a row for each scan: the table has its label as ``scan``, and the age at the scan."""
        scans = [(position, one.label, one.age) for position in range(len(self)) for one in self.scans(position)]
        positions, labels, ages = zip(*scans, strict=True) if scans else ((), (), ())
        table = self.table.iloc[list(positions)].assign(scan=list(labels), age=list(ages))
        return replace(self, table=table.reset_index(drop=True))

    def t_r_counts(self) -> dict[str, int]:
        """Return how many participants have each repetition time, in seconds as text."""
        return t_r_counts(self.table["t_r"])

    def data_fingerprint(self) -> str:
        """Return 16 hexadecimal characters that change with the split, any age or any series of its parts."""
        content = hashlib.sha256(b"" if self.scale == "zscore" else self.scale.encode())
        for part in sorted(self.table["split"].dropna().unique()):
            group = self.part(part)
            content.update(f"{part} {len(group)} ".encode())
            content.update(group.checksums.tobytes())
            content.update(group.ages.tobytes())
        return content.hexdigest()[:16]


def means_over_scans(scans: pd.DataFrame) -> pd.DataFrame:
    """Return one row a participant, in their order, of predictions with a row a scan: the mean prediction and age."""
    kept = ["participant_id", *(["split"] if "split" in scans else [])]
    return scans.groupby(kept, sort=False, dropna=False)[["age", "predicted_age"]].mean().reset_index()


# What returns the indices of a network's channels among those of a store.
Channels = Callable[[Store], Sequence[int]]


def participants_of(
    selection: Selection,
    store: Store,
    modality: ModalityConfig,
    split: pd.Series[str] | None = None,
    channels: Channels | None = None,
) -> Participants:
    """Return the selected participants who are in the store and, if there is a split, in one of its parts.

    The channels are those of the modality, unless others are given. The age of a participant with several scans is the
    mean of the ages at those that are used. Participants whose series cannot have the modality's scale are excluded.
    """
    table = selection.table
    rows = pd.Series(range(len(store.participant_ids)), index=pd.Index(store.participant_ids, dtype=str))
    usable = rows.index.difference(list(store.excluded))
    known = table[table["participant_id"].isin(usable)].reset_index(drop=True)
    known = known.drop(columns=[*RESERVED_COLUMNS], errors="ignore")
    of_files = {one: t_r[0] for one, t_r in zip(store.participant_ids, store.t_r, strict=False) if t_r}
    known = with_stored_t_r(known.assign(row=known["participant_id"].map(rows)), of_files)
    if split is not None:
        known = known.assign(split=known["participant_id"].map(split))
        known = known[known["split"].notna()].reset_index(drop=True)
    scan_ages = {
        (participant, one.label): one.age
        for participant, scan in selection.scans.items()
        if isinstance(scan, SeveralScans)
        for one in scan.scans
        if one.age is not None
    }
    seen = tuple(modality.channel_indices(store.channels) if channels is None else channels(store))
    t_r, scale = modality.t_r, modality.scale
    found = Participants(known, store, seen, modality.n_times, scan_ages, t_r=t_r, scale=scale)
    if scale == "percent":
        found = _with_percent(found)
    if not scan_ages:
        return found
    ages = [np.mean([one.age for one in found.scans(position)]) for position in range(len(found))]
    return replace(found, table=found.table.assign(age=ages))


def _with_percent(found: Participants) -> Participants:
    """Exclude participants with a channel that has no percent signal change; raise CohortError if most have one."""
    moments, first = found.store.moments, found.store.first_scans
    if moments is None or not len(found):
        return found
    undefined = ~has_percent(moments[:, list(found.channels)])
    of_rows = np.array([undefined[first[row] : first[row + 1]].any(axis=0) for row in found.rows])
    n_channels = of_rows.sum(axis=1)
    excluded = n_channels > 0
    if (n := int(excluded.sum())) > len(found) / 2:
        raise CohortError(
            "`modality.scale=percent` divides by each channel's mean over time, which must be above its SD, but in "
            f"{n:,} of {len(found):,} participants it is not, in {int(np.median(n_channels[excluded])):,} of "
            f"{len(found.channels):,} channels (median): the means of an ICA's components, and of series that were "
            "demeaned, are near 0. Use modality.scale=none or modality.scale=zscore, or files with the means."
        )
    reasons = {
        participant: ("mean near 0", f"in {count} of {len(found.channels)} channels")
        for participant, count in zip(found.table["participant_id"], n_channels, strict=True)
        if count
    }
    store = replace(found.store, excluded={**found.store.excluded, **reasons})
    return replace(found.where(~excluded), store=store)


def stored_participants(
    selection: Selection,
    modality: ModalityConfig,
    root: str,
    split: pd.Series[str] | None = None,
    *,
    write: bool = True,
    channels: Channels | None = None,
) -> Participants:
    """Return the selected participants whose series are in the store below `root`.

    A store that does not exist is written, or is a StoreError without `write`. See `participants_of`.
    """
    open_or_find = open_store if write else find_store
    several = any(isinstance(scan, SeveralScans) for scan in selection.scans.values())
    reading = replace(reading_of(modality), several=several)
    scans = timed_scans(selection.table, selection.scans) if modality.resample else selection.scans
    store = open_or_find(Path(root), scans, reading, moments=modality.scale != "zscore").at_least(modality.n_times)
    if modality.good_components is not None and store.channels is not None:
        raise ConfigError(
            f"`modality={modality.name}` must have files of an ICA's components, which have numbers, but line 1 "
            f"of {len(store.participant_ids)} participants' files has names. Use modality=parcels "
            f"modality.dimension={modality.dimension} modality.n_times=... modality.t_r=..."
        )
    if store.channels is None and (n_square := int((store.lengths == store.n_channels).sum())):
        log.warning(
            "%d of %d participants have as many time points as channels (%d), which have no names: %s. If it is the "
            "other way round, change modality.orientation.",
            *(n_square, len(store.participant_ids), store.n_channels, modality.orientation.replace("_", " ")),
        )
    return participants_of(selection, store, modality, split, channels)


def reading_of(modality: ModalityConfig) -> Reading:
    """Return how the files of a modality are read."""
    n_times = None if modality.whole_series else modality.n_times
    return Reading(
        modality.dimension,
        n_times,
        modality.orientation == "rows_are_channels",
        max_missing=modality.max_missing_fraction if modality.missing == "zero" else None,
        max_interpolated=modality.max_interpolated_fraction,
        resample_to=modality.t_r if modality.resample else None,
    )
