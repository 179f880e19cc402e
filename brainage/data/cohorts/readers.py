"""What a cohort reader offers, and which reader a config asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd

from brainage.config.code import own_class
from brainage.config.schema import (
    BidsCohortConfig,
    CohortConfig,
    ModalityConfig,
    OwnCohortConfig,
    SimulatedCohortConfig,
    UkbCohortConfig,
)
from brainage.data.cohorts.bids import BidsCohort
from brainage.data.cohorts.simulated import GENERATOR_VERSION, SimulatedCohort
from brainage.data.cohorts.ukb import UkbCohort
from brainage.data.store.series import Scan
from brainage.errors import ConfigError


class CohortReader(Protocol):
    """A source of participants. One module of this folder implements it, named as in ``configs/cohort/``."""

    @property
    def label(self) -> str:
        """What messages call the table."""
        ...

    def read_table(self, columns: Collection[str] = ()) -> pd.DataFrame:
        """Read the people.

        Parameters
        ----------
        columns : collection of str
            Columns wanted beyond the standard ones, by their own names; the others may be left unread.

        Returns
        -------
        DataFrame
            One row a row of the source, in its order; the index is the row's line number in the file. Columns:
            ``participant_id`` (text, no ``sub-`` prefix), ``age`` (years; NaN where empty), then where the source has
            them ``sex`` (0 female, 1 male, NaN unknown), ``site``, ``head_motion`` (mm), ``family_id``, and phenotypes
            under their own names.

        Raises
        ------
        CohortError, MissingPathError
            The table is missing or lacks what is needed.
        """
        ...

    def phenotype_names(self) -> list[str]:
        """Return the columns that are phenotypes: all that `read_table` does not give another name, or leave out.

        Raises
        ------
        CohortError, MissingPathError
            See `read_table`.
        """
        ...

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> Mapping[str, Scan]:
        """Find the scans of these participants; those without one are absent from the result.

        Parameters
        ----------
        participant_ids : iterable of str
            As in the table.
        dimension : int
            Dimensionality of the decomposition: 25 or 100.

        Raises
        ------
        MissingPathError
            The cohort's folder does not exist.
        """
        ...


def reader_of(cohort: CohortConfig, modality: ModalityConfig, *, need_ages: bool = True) -> CohortReader:
    """Return the reader of a cohort.

    Parameters
    ----------
    cohort, modality
        The config of the cohort and of its series.
    need_ages : bool, default=True
        Whether the table must have ages.

    Raises
    ------
    ConfigError
        There is no reader for this config, or a value that the reader needs is missing.
    """
    if isinstance(cohort, SimulatedCohortConfig):
        return _simulated(cohort, modality)
    if isinstance(cohort, UkbCohortConfig):
        if cohort.phenotypes is None and need_ages:
            raise ConfigError(
                "`cohort.phenotypes` must name UK Biobank's table, which has the ages, but got None. Use "
                "cohort.phenotypes=FILE; without ages, people can only be predicted (predict.py)."
            )
        return UkbCohort(
            root=Path(cohort.root),
            phenotypes=Path(cohort.phenotypes) if cohort.phenotypes is not None else None,
            instance=cohort.instance,
            member=cohort.member,
            need_ages=need_ages,
        )
    if isinstance(cohort, BidsCohortConfig):
        phenotypes = Path(cohort.phenotypes) if cohort.phenotypes is not None else None
        return BidsCohort(root=Path(cohort.root), phenotypes=phenotypes, pattern=cohort.pattern, need_ages=need_ages)
    if isinstance(cohort, OwnCohortConfig):
        return _own(cohort)
    raise ConfigError(f"`cohort` got a config without a reader: {cohort!r}. Use cohort=simulated, ukb or bids.")


def _own(cohort: OwnCohortConfig) -> CohortReader:
    """Return the reader of the user's own code that has the cohort's name."""
    members = ("read_table", "phenotype_names", "find_scans")
    kind = own_class("cohort.name", cohort.name, lambda item: all(hasattr(item, name) for name in members))
    if kind is None:
        raise ConfigError(
            f"`cohort.name` got {cohort.name!r}, which has no reader. Use cohort=simulated, ukb or bids, or load "
            "your own reader with code=FILE."
        )
    try:
        reader: CohortReader = kind(**cohort.arguments)
    except TypeError as error:
        raise ConfigError(f"`cohort`: {kind.__name__} cannot be made: {error}. Compare its config.") from error
    return reader


def _simulated(cohort: SimulatedCohortConfig, modality: ModalityConfig) -> SimulatedCohort:
    if cohort.version != GENERATOR_VERSION:
        raise ConfigError(
            f"`cohort.version` must be {GENERATOR_VERSION}, the version of this generator, but got "
            f"{cohort.version}. Other versions make other people; use the release that had it."
        )
    return SimulatedCohort(
        n_participants=cohort.n_participants,
        seed=cohort.seed,
        signal=cohort.signal,
        good_components=tuple(modality.good_components),
        n_times=modality.n_times,
        t_r=modality.t_r,
    )
