"""Spectra of components: log power in bands of frequency, and autocorrelations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft, rfftfreq

from brainage.data.participants import Participants
from brainage.data.row_cache import cached_rows
from brainage.errors import CohortError, ConfigError
from brainage.system.console import log

# Edges of the bands, in Hz.
BANDS = (0.0, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.13, 0.17, 0.25, 0.4, 0.68)

# Spacing of frequencies, in Hz, and the narrowest band.
_SPACING, _NARROWEST = 0.001, 0.002


class Spectrum:
    """Log of the share of each component's power in each band, and its autocorrelations, by component.

    Power is that of a Hann window over the whole series. A band that begins above the Nyquist frequency of the slowest
    series is left out, and one that contains it is cut there.

    Parameters
    ----------
    bands : sequence of float
        Edges of adjacent bands, in Hz, rising.
    lags : int
        Autocorrelations are at 1 to this many time points; 0 for none.
    """

    name = "spectrum"

    def __init__(self, bands: Sequence[float] = BANDS, lags: int = 3) -> None:
        numbers = all(isinstance(one, int | float) for one in bands)
        edges = np.array(bands if numbers else [], dtype=np.float64)
        if edges.ndim != 1 or len(edges) < 2 or edges[0] < 0 or not (np.diff(edges) >= _NARROWEST - 1e-9).all():
            raise ConfigError(
                f"`model.bands` must be two or more rising edges of bands, in Hz, {_NARROWEST} Hz apart or more, but "
                f"got {list(bands)}. For example: model.bands=[0.01,0.04,0.08,0.15]."
            )
        if isinstance(lags, bool) or not isinstance(lags, int) or lags < 0:
            raise ConfigError(f"`model.lags` must be a number of time points, 0 or more, but got {lags!r}.")
        self._bands, self._lags = edges, lags

    def raw(self, participants: Participants) -> NDArray[np.float32]:
        """Return features of shape (n_participants, n_channels * (n_bands + n_lags)), NaN for missing components.

        Raises a CohortError if a repetition time is unknown, or autocorrelations are of several.
        """
        t_r = self._checked_t_r(participants)
        if self._lags >= participants.n_times:
            raise ConfigError(
                f"`model.lags` must be below `modality.n_times`, {participants.n_times}, but got {self._lags}."
            )
        store, rows, lags = participants.store, participants.rows, self._lags
        self._used = self._below_nyquist(float(t_r.max()))
        of_rows = np.full(len(store.participant_ids), np.nan if participants.t_r is None else participants.t_r)
        of_rows[rows] = t_r
        width = len(participants.channels) * (len(self._used) - 1 + lags)

        def compute(together: range, series: list[NDArray[np.float32]]) -> NDArray[np.float32]:
            found = [
                np.full(width, np.nan) if np.isnan(of_rows[row]) else _features(one, of_rows[row], self._used, lags)
                for row, one in zip(together, series, strict=True)
            ]
            return np.array(found, dtype=np.float32)

        # Where each has a repetition time, rows of other participants have none and no values: the key says which.
        settings = f"{self._used.tolist()} {lags} {of_rows.tobytes().hex()}"
        return cached_rows(store, participants.channels, (self.name, settings), width, compute)[rows]

    def fit(self, raw: NDArray[np.float32]) -> None:
        """Compute the training participants' means, which replace missing values."""
        known = ~np.isnan(raw)
        total = np.where(known, raw, 0).sum(axis=0, dtype=np.float64)
        self._mean = total / np.maximum(known.sum(axis=0), 1)

    def transform(self, raw: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return features, of shape (n_participants, n_channels * (n_bands + n_lags))."""
        return np.where(np.isnan(raw), self._mean, raw.astype(np.float64))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the edges of the used bands, in Hz, the number of lags, and means."""
        return {"bands": self._used, "lags": np.array(self._lags), "mean": self._mean}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `arrays` returned; raise a ValueError for arrays of other shapes."""
        bands, lags, mean = arrays["bands"], int(arrays["lags"]), arrays["mean"]
        if lags < 0 or len(mean) % (len(bands) - 1 + lags):
            raise ValueError(f"{len(mean)} means of {len(bands) - 1} bands and {lags} lags")
        self._bands, self._lags, self._mean = bands, lags, mean

    def _checked_t_r(self, participants: Participants) -> NDArray[np.float64]:
        t_r = participants.repetition_times
        if n_unknown := int(np.isnan(t_r).sum()):
            raise CohortError(
                f"Features `spectrum` need the repetition time of each series, because their bands are in Hz, but it "
                f"is unknown for {n_unknown} of {len(t_r)} participants. Give it with modality.t_r=SECONDS or "
                "cohort.t_r=SECONDS, in a column `t_r` of the table, or use a model without these features."
            )
        if self._lags and t_r.max() > 1.01 * t_r.min():
            raise CohortError(
                f"Autocorrelations of the features `spectrum` need one repetition time, but got several, from "
                f"{t_r.min():g} to {t_r.max():g} s. Use modality.t_r=SECONDS modality.resample=true, or "
                "model=ridge_spectrum model.lags=0."
            )
        return t_r

    def _below_nyquist(self, t_r: float) -> NDArray[np.float64]:
        highest, edges = 0.5 / t_r, self._bands
        used = edges if edges[-1] <= highest else np.array([*edges[edges <= highest - _NARROWEST], highest])
        if len(used) < 2 or used[0] >= highest:
            raise CohortError(
                f"`model.bands` must begin below {highest:g} Hz, half the sampling frequency at a repetition time of "
                f"{t_r:g} s, but begin at {edges[0]:g} Hz. Lower them."
            )
        if len(used) < len(edges):
            log.info("%d of %d bands are above %.3g Hz, the Nyquist frequency: they are not used.",
                     len(edges) - len(used), len(edges) - 1, highest)  # fmt: skip
        return used


def _features(series: NDArray[np.float32], t_r: float, bands: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return log power by band, then autocorrelations, of each channel; NaN for a channel that is constant."""
    n_times = series.shape[1]
    n_padded = next_fast_len(max(n_times, int(np.ceil(1 / (t_r * _SPACING)))), real=True)
    transformed = rfft(series * np.hanning(n_times), n=n_padded)
    power = transformed.real**2 + transformed.imag**2
    borders = np.searchsorted(rfftfreq(n_padded, t_r), bands)
    in_bands = np.stack([power[:, a:b].mean(axis=1) for a, b in zip(borders, borders[1:], strict=False)], axis=1)
    squares = (series.astype(np.float64) ** 2).sum(axis=1)
    lagged = [(series[:, lag:] * series[:, : n_times - lag]).sum(axis=1) for lag in range(1, lags + 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(in_bands / power.mean(axis=1, keepdims=True))
        return np.concatenate([logs, *(one[:, None] / squares[:, None] for one in lagged)], axis=1).ravel()
