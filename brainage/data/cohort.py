"""What every cohort offers, whatever its source: a table of people and their scans."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

import pandas as pd

from brainage.data.series import Scan


class CohortReader(Protocol):
    """A source of participants. One module of this folder implements it, named as in ``configs/cohort/``."""

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

    def find_scans(self, participant_ids: Iterable[str], dimension: int) -> dict[str, Scan]:
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
