"""What can be measured in series, and how well it predicts: for tests of the simulated cohort's difficulty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Edges of bands, in Hz.
EDGES = (0.005, 0.02, 0.035, 0.05, 0.065, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3, 0.45, 0.68)


def connections(series: Array) -> Array:
    """Return correlations of pairs of z-scored channels, (..., n_pairs)."""
    rows, columns = np.triu_indices(series.shape[-2], 1)
    return (series @ np.swapaxes(series, -1, -2) / series.shape[-1])[..., rows, columns]


def band_powers(series: Array, t_r: float) -> Array:
    """Return the log power of channels in bands, (n_participants, n_channels, n_bands)."""
    frequency = np.fft.rfftfreq(series.shape[-1], t_r)
    bands = [(frequency >= low) & (frequency < high) for low, high in zip(EDGES[:-1], EDGES[1:], strict=True)]
    # One participant at a time: spectra of thousands need gigabytes.
    powers = (np.abs(np.fft.rfft(one)) ** 2 for one in series)
    return np.log([np.stack([power[:, band].mean(axis=1) for band in bands], axis=1) for power in powers])


def autocorrelations(series: Array, lag: int) -> Array:
    """Return the autocorrelation of z-scored channels at a lag, (..., n_channels)."""
    return (series[..., lag:] * series[..., :-lag]).mean(axis=-1)


def leads(series: Array) -> Array:
    """Return how much earlier the first of two channels is: the difference of covariances one time point apart."""
    lagged = series[..., 1:] @ np.swapaxes(series[..., :-1], -1, -2) / series.shape[-1]
    rows, columns = np.triu_indices(series.shape[-2], 1)
    return (lagged - np.swapaxes(lagged, -1, -2))[..., rows, columns]


def fluctuations(series: Array, width: int = 24) -> Array:
    """Return how much connections differ between windows, and last from one window to the next, (..., n_pairs)."""
    n_windows = series.shape[-1] // width
    windows = np.split(series[..., : n_windows * width], n_windows, axis=-1)
    moving = np.stack([connections(window) for window in windows])
    moving = moving - moving.mean(axis=0)
    return np.concatenate([(moving**2).mean(axis=0), (moving[1:] * moving[:-1]).mean(axis=0)], axis=-1)


def ridge_r(features: Array, target: Array, n_folds: int = 5) -> float:
    """Return the correlation of held-out predictions with a target, by a ridge with the best leave-one-out penalty."""
    features = features.reshape(len(target), -1).astype(np.float64)
    predicted = np.empty(len(target))
    for test in np.array_split(np.arange(len(target)), n_folds):
        train = np.setdiff1d(np.arange(len(target)), test)
        mean, scale = features[train].mean(axis=0), features[train].std(axis=0)
        weights = _ridge((features[train] - mean) / scale, target[train] - target[train].mean())
        predicted[test] = (features[test] - mean) / scale @ weights + target[train].mean()
    return float(np.corrcoef(predicted, target)[0, 1])


def _ridge(x: Array, y: Array) -> Array:
    """Return the weights for centred features (n, n_features) and target (n,)."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    projected, found = left.T @ y, []
    for penalty in np.logspace(0, 6, 13):
        shrinkage = singular**2 / (singular**2 + penalty)
        residuals = (y - left @ (shrinkage * projected)) / (1 - left**2 @ shrinkage - 1 / len(y))
        found.append((np.mean(residuals**2), penalty))
    _, best = min(found)
    return np.asarray(right.T @ (singular / (singular**2 + best) * projected))


def largest_r(features: Array, target: Array) -> float:
    """Return the largest absolute correlation of one number with a target."""
    z = features.reshape(len(target), -1)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    return float(np.abs(z.T @ (target - target.mean()) / target.std()).max() / len(target))
