"""A ridge on the spectra of components: what is known without their relations."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.models.baselines.ridge import Ridge
from brainage.models.features.spectrum import BANDS, Spectrum


class RidgeSpectrum(Ridge):
    """Predict age from each component's log power in bands of frequency, and its autocorrelations.

    Parameters
    ----------
    bands : sequence of float
        Edges of adjacent bands, in Hz, rising.
    lags : int
        Autocorrelations are at 1 to this many time points; 0 for none.
    """

    def __init__(self, *, bands: Sequence[float] = BANDS, lags: int = 3) -> None:
        super().__init__(Spectrum(bands, lags))
