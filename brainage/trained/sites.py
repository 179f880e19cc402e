"""Sites of the participants to predict, for ridges that harmonise features between sites."""

from __future__ import annotations

import pandas as pd

from brainage.models.features.harmonize import site_names
from brainage.trained.network import Trained

# Names of sites that a note lists.
_MOST_LISTED = 30


def site_caveats(trained: Trained, which: str, table: pd.DataFrame) -> list[str]:
    """Return a note on whose features are harmonised; none for what harmonises nothing."""
    if not trained.architecture.is_baseline or "sites" not in trained.weights:
        return []
    names = site_names(trained.weights["sites"].numpy())
    listed = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
    n_others = len(table) - (int(table["site"].isin(names).sum()) if "site" in table else 0)
    return [
        f"{which.capitalize()} harmonises features between the sites of its training: {listed}. {n_others:,} "
        f"of {len(table):,} participants have another site, or none, in the column `site`: their features are left as "
        "they are."
    ]
