"""A ridge on responses to random convolutions: a network without training."""

from __future__ import annotations

from brainage.models.baselines.ridge import Ridge
from brainage.models.features.random_convolutions import RandomConvolutions as Responses


class RandomConvolutions(Ridge):
    """Predict age from responses of the series to random kernels; see the feature set of this name.

    Parameters
    ----------
    n_kernels : int
        Number of kernels.
    seed : int
        Of the kernels.
    """

    def __init__(self, *, n_kernels: int = 1000, seed: int = 0) -> None:
        super().__init__(Responses(n_kernels, seed))
