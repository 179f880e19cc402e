"""A ridge on several feature sets side by side."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.models.baselines.ridge import Ridge
from brainage.models.features import feature_sets


class RidgeFeatures(Ridge):
    """Predict age from feature sets, each feature standardised in the training participants.

    Parameters
    ----------
    features : sequence of str
        Keys of ``brainage.models.features.FEATURES``.
    """

    def __init__(self, *, features: Sequence[str] = ("partial", "tangent", "spectrum")) -> None:
        super().__init__(*feature_sets(features, "model.features"))
