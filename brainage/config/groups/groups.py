"""Schema of groups of participants whose gaps are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from brainage.config.rules import Bounds, checked, require


@checked("groups")
@dataclass
class GroupsConfig:
    """Groups whose brain-age gaps are compared, such as participants with a diagnosis and controls.

    Parameters
    ----------
    column : str or None
        Column of the cohort's table that has the groups, such as ``diagnosis``. None compares no groups.
    reference : str or None
        The column's value for the reference group, such as ``control``. Only its participants train and validate; those
        of other groups are tested, with the reference participants who are held out.
    n_permutations : int
        Number of permutations behind each p value of permutation.
    """

    column: str | None = None
    reference: str | None = None
    n_permutations: Annotated[int, Bounds(ge=99, le=1_000_000)] = 5000

    def __post_init__(self) -> None:
        """Check that both or none are given."""
        check_pair(self.column, self.reference)


def check_pair(column: str | None, reference: str | None) -> None:
    """Raise a ConfigError if a column of groups or its reference is given without the other."""
    missing = "groups.column" if column is None else "groups.reference"
    step = "Give both, such as groups.column=diagnosis groups.reference=control, or none."
    require((column is None) == (reference is None), missing, "given, because the other one is", None, step)
