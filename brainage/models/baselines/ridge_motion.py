"""A ridge on head motion alone: how well motion predicts age."""

from __future__ import annotations

from brainage.models.baselines.ridge import Ridge
from brainage.models.features.motion import Motion


class RidgeMotion(Ridge):
    """Predict age from head motion and its square; unknown motion is set to the training participants' median."""

    def __init__(self) -> None:
        super().__init__(Motion())
