"""The time series of simulated participants, as functions of brain age, motion, site and individual variation.

Brain sources form networks. Each source is white noise mixed from latent courses (covariance) and filtered by its
network's spectrum (autocorrelation), in the Fourier domain. Components are averages of neighbouring sources. Brain age
changes the mixing and the spectra of the networks in ``AGE_NETWORKS``; all other differences are nuisance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Increase it whenever the same arguments give other numbers; stores are keyed by it.
GENERATOR_VERSION = 1

N_NETWORKS = 12
SOURCES_PER_NETWORK = 7
N_SOURCES = N_NETWORKS * SOURCES_PER_NETWORK

# Networks that age acts on, from 0. Their borders are between components at 21 and at 55 good components.
AGE_NETWORKS = (0, 1, 2, 3, 8, 9, 10, 11)

# Streams of random numbers; part of a generator's seed.
TRAITS, SOURCES, NOISE, RECRUITMENT = 1, 2, 3, 4

# Series are drawn in segments of this length, so a longer scan starts with the shorter one, bit for bit.
SEGMENT = 540
_POPULATION_SEED = 20227
_TYPICAL_MOTION = 0.12

# Tuned to the targets for realism and difficulty in ``tests/data/cohorts/test_simulated_series.py``.
# Effects of age are per decade of brain age; variations are standard deviations between participants.
# Covariance: the first latent courses are the networks' own, the others are shared between networks.
_N_SHARED = 12
_N_LATENT = N_NETWORKS + _N_SHARED
_OWN_LOADING = 0.75
_SHARED_LOADING = 0.22
_UNIQUE_LOADING = 0.6
_NETWORK_VARIATION = 0.08
_SOURCE_VARIATION = 0.09
_AGE_ON_NETWORK = 0.085
_AGE_ON_SOURCE = 0.06

# Spectra: power 1 / (1 + (frequency / knee) ** 2) ** 2 and a white floor. Knees in Hz; effects act on their logarithm.
_KNEE = 0.085
_KNEE_VARIATION = 0.25
_KNEE_AGE = 0.18
_KNEE_SITE = 0.04
_WHITE = 0.5
_MOTION_GAIN = 0.15

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class SimulatedScan:
    """The numbers that determine a simulated participant's scan.

    `index` is the participant's number, from 0, and `brain_age_effect` (brain age - 63.4) / 10 times the cohort's
    signal. Sites are numbered from 0, good components from 1; `head_motion` is in mm, `t_r` in seconds.
    """

    cohort_seed: int
    index: int
    brain_age_effect: float
    head_motion: float
    site: int
    dimension: int
    good_components: tuple[int, ...]
    n_times: int
    t_r: float

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return all numbers that determine the series; see Scan."""
        # `astuple` makes deep copies, which takes seconds for a large cohort.
        fields = (",".join(map(str, field)) if isinstance(field, tuple) else field for field in vars(self).values())
        return ("simulated", GENERATOR_VERSION, *fields)

    def read(self) -> NDArray[np.float64]:
        """Return the raw series, an array of shape (n_times, dimension); see Scan."""
        sources = np.random.default_rng([self.cohort_seed, self.index, SOURCES])
        noise = np.random.default_rng([self.cohort_seed, self.index, NOISE, self.dimension])
        loadings, spectra = self._draw_participant(sources)
        # Components have arbitrary units.
        scale = np.exp(noise.normal(size=self.dimension)) * 10
        offset = noise.normal(size=self.dimension) * 20
        segments = [
            self._draw_segment(sources, noise, loadings, spectra) for _ in range(math.ceil(self.n_times / SEGMENT))
        ]
        series: NDArray[np.float64] = np.concatenate(segments, axis=1)[:, : self.n_times].T * scale + offset
        return series

    def _draw_participant(self, rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
        """Draw what is constant within a scan: loadings (n_sources, n_latent), spectra (n_networks, n_frequencies)."""
        population = _population()
        individual = _NETWORK_VARIATION * np.repeat(
            rng.standard_normal((N_NETWORKS, _N_LATENT), dtype=np.float32), SOURCES_PER_NETWORK, axis=0
        ) + _SOURCE_VARIATION * rng.standard_normal((N_SOURCES, _N_LATENT), dtype=np.float32)
        loadings = population.loadings + np.float32(self.brain_age_effect) * population.age_loadings + individual
        log_knee = (
            population.log_knee
            + self.brain_age_effect * population.age_knee
            + _KNEE_VARIATION * rng.standard_normal(N_NETWORKS)
            + _KNEE_SITE * (self.site - 1)
        )
        return loadings, low_pass(np.exp(log_knee), self.t_r)

    def _draw_segment(
        self, sources: np.random.Generator, noise: np.random.Generator, loadings: Float32Array, spectra: Float32Array
    ) -> Float32Array:
        """Draw a segment of all components, of shape (dimension, SEGMENT)."""
        n_numbers = 2 * spectra.shape[1]
        white = sources.standard_normal((_N_LATENT + N_SOURCES, n_numbers), dtype=np.float32)
        mixed = loadings @ white[:_N_LATENT] + np.float32(_UNIQUE_LOADING) * white[_N_LATENT:]
        mixed *= np.repeat(spectra, SOURCES_PER_NETWORK, axis=0).repeat(2, axis=1)
        motion = self._draw_motion(sources)
        good, weights = component_weights(self.dimension, self.good_components)
        series = np.empty((self.dimension, SEGMENT), dtype=np.float32)
        series[good] = to_time(weights @ mixed)
        artefacts = np.setdiff1d(np.arange(self.dimension), good)
        own = noise.standard_normal((artefacts.size, n_numbers), dtype=np.float32)
        breathing = band_pass(0.3, 0.05, self.t_r)
        series[artefacts] = to_time(own * (breathing + np.float32(0.3)).repeat(2))
        gain = np.where(np.isin(np.arange(self.dimension), good), _MOTION_GAIN, 1.0).astype(np.float32)
        series += np.outer(gain, motion)
        series += np.float32(_WHITE) * noise.standard_normal(series.shape, dtype=np.float32)
        return series

    def _draw_motion(self, rng: np.random.Generator) -> Float32Array:
        """Draw the course of head motion, slow drift and spikes, of shape (SEGMENT,)."""
        spectrum = low_pass(np.array([0.02]), self.t_r)[0]
        slow = to_time(rng.standard_normal(2 * spectrum.size, dtype=np.float32) * spectrum.repeat(2))
        spikes = np.where(rng.random(SEGMENT) < 0.01, rng.normal(scale=4, size=SEGMENT), 0)
        return np.asarray((slow + spikes) * (self.head_motion / _TYPICAL_MOTION), dtype=np.float32)


def age_components(dimension: int, good_components: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Return the sorted numbers, from 1, of the components whose own series depend on brain age.

    All others depend on age through head motion and site only. Empty `good_components` means all.
    """
    good, weights = component_weights(dimension, good_components)
    carrying = np.isin(np.arange(N_SOURCES) // SOURCES_PER_NETWORK, AGE_NETWORKS)
    return tuple(int(component) + 1 for component in good[(weights[:, carrying] > 0).any(axis=1)])


@lru_cache(maxsize=8)
def component_weights(dimension: int, good_components: tuple[int, ...]) -> tuple[NDArray[np.intp], Float32Array]:
    """Return the indices of good components, (n_good,), and how each averages sources, (n_good, n_sources)."""
    good = np.array(sorted(good_components), dtype=np.intp) - 1 if good_components else np.arange(dimension)
    weights = np.zeros((good.size, N_SOURCES), dtype=np.float32)
    shares = np.array_split(np.arange(N_SOURCES), good.size)
    for row in range(good.size):
        # With more components than sources, neighbours share a source.
        share = shares[row] if good.size <= N_SOURCES else row * N_SOURCES // good.size
        weights[row, share] = 1 / np.size(share)
    return good, weights


@dataclass(frozen=True)
class _Population:
    """Parameters that all cohorts share, so that a network trained on one can be applied to another."""

    loadings: Float32Array
    age_loadings: Float32Array
    log_knee: NDArray[np.float64]
    age_knee: NDArray[np.float64]


@lru_cache(maxsize=1)
def _population() -> _Population:
    """Draw the average participant and the direction of ageing."""
    rng = np.random.default_rng(_POPULATION_SEED)
    own = np.repeat(np.eye(N_NETWORKS, _N_LATENT), SOURCES_PER_NETWORK, axis=0)
    shared = np.repeat(rng.normal(size=(N_NETWORKS, _N_LATENT)), SOURCES_PER_NETWORK, axis=0)
    shared = shared + 0.5 * rng.normal(size=(N_SOURCES, _N_LATENT))
    shared[:, :N_NETWORKS] = 0
    loadings = _OWN_LOADING * own + _SHARED_LOADING * shared
    by_network = np.repeat(rng.normal(size=(N_NETWORKS, _N_LATENT)), SOURCES_PER_NETWORK, axis=0)
    ageing = _AGE_ON_NETWORK * by_network + _AGE_ON_SOURCE * rng.normal(size=(N_SOURCES, _N_LATENT))
    # Coherence within networks decreases with age.
    ageing -= 2 * _AGE_ON_NETWORK * own
    carrying = np.isin(np.arange(N_NETWORKS), AGE_NETWORKS)
    # Age changes only covariance among the networks that carry it, not their covariance with other networks.
    ageing *= np.outer(np.repeat(carrying, SOURCES_PER_NETWORK), np.arange(_N_LATENT) < N_NETWORKS)
    ageing[:, :N_NETWORKS] *= carrying
    log_knee = np.log(_KNEE) + 0.25 * rng.normal(size=N_NETWORKS)
    age_knee = _KNEE_AGE * carrying * (1 + 0.3 * rng.normal(size=N_NETWORKS))
    return _Population(loadings.astype(np.float32), ageing.astype(np.float32), log_knee, age_knee)


def low_pass(knee: NDArray[np.float64], t_r: float) -> Float32Array:
    """Return amplitudes of unit power for knees in Hz, of shape (n_knees, n_frequencies)."""
    frequencies = np.fft.rfftfreq(SEGMENT, t_r)
    return _unit_power(1 / (1 + (frequencies / knee[:, None]) ** 2))


@lru_cache(maxsize=4)
def band_pass(centre: float, width: float, t_r: float) -> Float32Array:
    """Return amplitudes of unit power around a frequency in Hz, of shape (n_frequencies,)."""
    frequencies = np.fft.rfftfreq(SEGMENT, t_r)
    return _unit_power(np.exp(-(((frequencies - centre) / width) ** 2)))


def _unit_power(amplitude: NDArray[np.float64]) -> Float32Array:
    amplitude[..., 0] = 0
    amplitude /= np.sqrt(np.mean(amplitude**2, axis=-1, keepdims=True))
    return amplitude.astype(np.float32)


def to_time(coefficients: Float32Array) -> Float32Array:
    """Transform interleaved real and imaginary parts of white noise to a series of unit variance per unit power."""
    spectrum = np.ascontiguousarray(coefficients).view(np.complex64)
    return np.asarray(np.fft.irfft(spectrum, n=SEGMENT, axis=-1) * np.sqrt(SEGMENT / 2), dtype=np.float32)
