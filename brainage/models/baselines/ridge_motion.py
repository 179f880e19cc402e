"""A ridge on head motion alone: how well motion predicts age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainage.data.participants import Participants
from brainage.errors import CohortError
from brainage.models.baselines.ridge import Ridge


class RidgeMotion(Ridge):
    """Predict age from head motion and its square; unknown motion is set to the training participants' median."""

    def features(self, participants: Participants) -> NDArray[np.float64]:
        """Return motion and its square, of shape (n_participants, 2)."""
        motion = participants.table.get("head_motion")
        if motion is None or motion.notna().sum() == 0:
            raise CohortError(
                "`model=ridge_motion` needs `head_motion` in the cohort's table (field 25741 of UK Biobank), but no "
                "participant has a value. Add the column, name it with cohort.columns.head_motion=NAME, or choose "
                "another model."
            )
        split = participants.table.get("split")
        training = motion if split is None else motion[split == "train"]
        values = motion.fillna(training.median()).to_numpy(float)
        return np.stack([values, values**2], axis=1)
