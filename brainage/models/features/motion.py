"""Head motion and its square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.errors import CohortError


class Motion:
    """Head motion and its square; unknown motion is set to the training participants' median."""

    name = "motion"

    def raw(self, participants: Participants) -> NDArray[np.float64]:
        """Return motion, of shape (n_participants, 1), NaN where unknown; raise a `CohortError` if all are."""
        motion = participants.table.get("head_motion")
        if motion is None or motion.notna().sum() == 0:
            raise CohortError(
                "Features `motion` need `head_motion` in the cohort's table (field 25741 of UK Biobank), but no "
                "participant has a value. Add the column, name it with cohort.columns.head_motion=NAME, or choose "
                "another model."
            )
        return motion.to_numpy(float)[:, None]

    def fit(self, raw: NDArray[np.float64]) -> None:
        """Compute the median."""
        known = raw[~np.isnan(raw)]
        self._median = float(np.median(known)) if len(known) else 0.0

    def transform(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return motion and its square, of shape (n_participants, 2)."""
        values = np.where(np.isnan(raw), self._median, raw)
        return np.concatenate([values, values**2], axis=1)

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the median."""
        return {"median": np.array(self._median)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned."""
        self._median = float(arrays["median"])
