"""Kernel ridge regression: participants are compared with the training participants."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.models.baselines.ridge import Ridge
from brainage.models.features import feature_sets


class KernelRidge(Ridge):
    """Predict age from similarity to training participants: the correlation of two participants' features.

    This kernel is a product of features that are standardised within each participant. So weights are by feature, and
    ``model.npz`` does not contain the training participants' features.

    Parameters
    ----------
    features : sequence of str
        Keys of ``brainage.models.features.FEATURES``.

    References
    ----------
    He et al. 2020, doi 10.1016/j.neuroimage.2019.116276.
    """

    def __init__(self, *, features: Sequence[str] = ("correlation",)) -> None:
        super().__init__(*feature_sets(features, "model.features"), within=True)
