"""What a cohort reader offers, and which reader a config asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from brainage.config.code import own_class
from brainage.config.groups.cohort import (
    AbideCohortConfig,
    BidsCohortConfig,
    CohortConfig,
    OwnCohortConfig,
    SimulatedCohortConfig,
    UkbCohortConfig,
)
from brainage.config.groups.modality import ModalityConfig
from brainage.data.cohorts.abide import ROIS, AbideCohort, Derivative
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.own_columns import OwnColumns
from brainage.data.cohorts.simulated import SimulatedCohort
from brainage.data.cohorts.simulated2 import SimulatedCohort2, both_visits
from brainage.data.cohorts.ukb import UkbCohort, UkbVisits
from brainage.data.cohorts.ukb_files import ICA_FIELD
from brainage.data.store.series import Scan
from brainage.errors import ConfigError, nearest


class CohortReader(Protocol):
    """A source of participants, named as its config in ``configs/cohort/``."""

    @property
    def label(self) -> str:
        """The table's name in messages."""
        ...

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the participants.

        Parameters
        ----------
        columns : collection of str
            Columns to read beyond the standard ones.

        Returns
        -------
        DataFrame
            One row a row of the source, in its order; the index is the line number in the file. Columns:
            ``participant_id`` (text, no ``sub-`` prefix), ``age`` (years; NaN where missing), if known ``sex`` (0
            female, 1 male, NaN unknown), ``site``, ``head_motion`` (mm) and ``family_id``, and `columns`.

        Raises
        ------
        CohortError, MissingPathError
            The table is missing, lacks a column, or has a value that cannot be used.
        """
        ...

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes; raises as `read_table` does."""
        ...

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> Mapping[str, Scan]:
        """Find the scans of these participants, without reading them; those without a scan are not in the result.

        Parameters
        ----------
        participant_ids : iterable of str
            Ids as in the table.
        dimension : int
            Dimensionality of the decomposition: 25 or 100.

        Raises
        ------
        MissingPathError
            The cohort's folder does not exist.
        """
        ...


@runtime_checkable
class DescribesSearch(Protocol):
    """A reader that can say where it looked for files; a user's own need not."""

    def describe_search(self, participant_ids: Sequence[str], dimension: int) -> str:
        """Return where files were looked for and what is there instead, without ids."""
        ...


@runtime_checkable
class ListsFiles(Protocol):
    """A reader that knows whose files there are, in the table or not; a user's own need not."""

    def ids_of_files(self) -> set[str]:
        """Return the ids in the names of files, or of folders of participants."""
        ...


def reader_of(cohort: CohortConfig, modality: ModalityConfig, *, need_ages: bool = True) -> CohortReader:
    """Return the reader of a cohort; unless `need_ages`, its table may lack ages."""
    if isinstance(cohort, SimulatedCohortConfig):
        return _simulated(cohort, modality)
    if isinstance(cohort, UkbCohortConfig | BidsCohortConfig):
        root, phenotypes = Path(cohort.root), tuple(map(Path, cohort.tables))
        own = OwnColumns(cohort.own_names, cohort.codes_of_sex)
        if isinstance(cohort, BidsCohortConfig):
            return BidsCohort(
                root=root,
                phenotypes=phenotypes,
                pattern=cohort.pattern,
                entities=cohort.values_of_entities,
                key=cohort.key,
                own=own,
                scans=cohort.scans,
                need_ages=need_ages,
            )
        if need_ages and not phenotypes:
            raise ConfigError(
                "`cohort.phenotypes` must name UK Biobank's table, which has the ages, but got None. Use "
                "cohort.phenotypes=FILE; without ages, participants can only be predicted (predict.py)."
            )
        visits = {
            f"instance-{instance}": UkbCohort(
                root=root,
                phenotypes=phenotypes,
                instance=instance,
                field=modality.ukb_field or ICA_FIELD,
                member=_member(cohort, modality),
                own=own,
                need_ages=need_ages,
            )
            for instance in cohort.instances
        }
        return UkbVisits(visits, need_ages) if len(visits) > 1 else next(iter(visits.values()))
    if isinstance(cohort, AbideCohortConfig):
        return _abide(cohort, modality)
    if isinstance(cohort, OwnCohortConfig):
        return _own(cohort)
    raise ConfigError(f"`cohort` got a config without a reader: {cohort!r}. Use cohort=simulated, ukb, bids or abide.")


def _abide(cohort: AbideCohortConfig, modality: ModalityConfig) -> AbideCohort:
    rois = cohort.rois or modality.name
    if rois not in ROIS:
        raise ConfigError(
            f"`cohort.rois` must name a set of regions, because modality={modality.name} is not called after one, but "
            f"got {cohort.rois!r}. {nearest(rois, ROIS)}"
        )
    derivative = Derivative(
        rois=rois,
        pipeline=cohort.pipeline,
        band_pass_filtering=cohort.band_pass_filtering,
        global_signal_regression=cohort.global_signal_regression,
        url=cohort.url,
    )
    return AbideCohort(
        root=Path(cohort.root),
        derivative=derivative,
        quality_checked=cohort.quality_checked,
        download=cohort.download,
    )


def _member(cohort: UkbCohortConfig, modality: ModalityConfig) -> str:
    """Return the path that the cohort's config gives, or else that of the modality."""
    is_own = cohort.member != UkbCohortConfig.member
    return cohort.member if is_own or modality.ukb_member is None else modality.ukb_member


def _own(cohort: OwnCohortConfig) -> CohortReader:
    """Return the user's own reader of the cohort's name."""
    members = ("read_table", "phenotype_names", "find_scans")
    kind = own_class("cohort.name", cohort.name, lambda item: all(hasattr(item, name) for name in members))
    if kind is None:
        raise ConfigError(
            f"`cohort.name` got {cohort.name!r}, which has no reader. Use cohort=simulated, ukb, bids or abide, or "
            "load your own reader with code=FILE."
        )
    try:
        reader: CohortReader = kind(**cohort.arguments)
    except TypeError as error:
        raise ConfigError(f"`cohort`: {kind.__name__} cannot be made: {error}. Compare its config.") from error
    return reader


def _simulated(cohort: SimulatedCohortConfig, modality: ModalityConfig) -> CohortReader:
    shared: dict[str, Any] = {
        "n_participants": cohort.n_participants,
        "seed": cohort.seed,
        "signal": cohort.signal,
        "good_components": tuple(modality.good_components or ()),
        "n_times": modality.n_times,
        **({} if modality.t_r is None else {"t_r": modality.t_r}),
    }
    if cohort.version == 1:
        return SimulatedCohort(**shared)
    own: dict[str, Any] = {"parts": cohort.parts, "sites": cohort.sites}
    if cohort.visit == "both":
        return both_visits(SimulatedCohort2(**shared, **own))
    return SimulatedCohort2(**shared, **own, visit=cohort.visit)
