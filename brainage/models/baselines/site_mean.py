"""The mean age of the training participants of each site: how well the site predicts age."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.errors import CohortError
from brainage.evaluation.disclosure import MIN_SHOWN


class SiteMean:
    """Predict the mean age of the training participants of the same site.

    Where the site is unknown, or has fewer than ten training participants, it is the mean of all.
    """

    def features(self, participants: Participants) -> NDArray[Any]:
        """Return sites as text, of shape (n_participants,), empty where unknown; raise a `CohortError` if all are."""
        site = participants.table.get("site")
        if site is None or site.notna().sum() == 0:
            raise CohortError(
                "`model=site_mean` needs `site` in the cohort's table (field 54 of UK Biobank), but no participant "
                "has one. Add the column, name it with cohort.columns.site=NAME, or choose another model."
            )
        return site.astype(str).where(site.notna(), "").to_numpy(str)

    def fit(self, features: NDArray[Any], age: NDArray[np.float64]) -> None:
        """Compute the means."""
        known = features != ""
        of_sites = pd.Series(age[known]).groupby(features[known])
        means = of_sites.mean()[of_sites.size() >= MIN_SHOWN]
        self._sites, self._means, self._mean = means.index.to_numpy(str), means.to_numpy(float), float(age.mean())

    def predict(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the mean of each participant's site, in years."""
        known = dict(zip(self._sites.tolist(), self._means.tolist(), strict=True))
        return np.array([known.get(site, self._mean) for site in features.tolist()], dtype=np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the sites with their means, which are the weights, and the mean of all."""
        return {"sites": self._sites, "weights": self._means, "intercept": np.array(self._mean)}
