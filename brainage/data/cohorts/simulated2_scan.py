"""The time series of version 2's participants: the brain's courses, measured at a site under head motion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from brainage.data.cohorts.simulated2_brain import (
    COURSES,
    N_LATENT,
    NOISE,
    Dynamics,
    Float32Array,
    FloatArray,
    Person,
    Strengths,
    amplitude,
    connectivity,
    dynamics,
    spectrum,
)
from brainage.data.cohorts.simulated_series import (
    AGE_NETWORKS,
    N_NETWORKS,
    N_SOURCES,
    SEGMENT,
    SOURCES_PER_NETWORK,
    band_pass,
    component_weights,
    low_pass,
    to_time,
)

# Increase it whenever the same arguments give other numbers; stores are keyed by it.
GENERATOR_VERSION = 2

_UNIQUE_LOADING = 0.6
_SWITCHING_LOADING = 0.9
_WHITE_OF_SITES = (0.6, 0.55, 0.68, 0.64)
_GAIN_OF_SITES = (0.0, 0.15, -0.2, 0.25)  # log

# Motion: noise that neighbours share. Its reach and the head's size are in mm.
_TYPICAL_MOTION, _MOTION_GAIN = 0.12, 0.3
_REACH, _N_CENTRES = 25.0, 24
_HEAD = np.array([60.0, 75.0, 50.0])

# Units: of an ICA, whose courses have mean 0, and of parcels, which vary by about 1 % of their mean.
_ICA_UNIT, _PARCEL_MEAN, _PARCEL_CHANGE = 10.0, 1000.0, 0.01

_POPULATION_SEED = 20229


@dataclass(frozen=True)
class SimulatedScan2:
    """The numbers that determine a scan of version 2.

    Good components are numbered from 1; without them the channels are parcels, whose means are not 0. `t_r` is in
    seconds.
    """

    person: Person
    strengths: Strengths
    dimension: int
    good_components: tuple[int, ...]
    n_times: int
    t_r: float

    @property
    def head_motion(self) -> float:
        """Mean head motion, in mm."""
        return self.person.head_motion

    def stamp(self) -> tuple[str | int | float, ...]:
        """Return all numbers that determine the series; see Scan."""
        good = ",".join(map(str, self.good_components))
        numbers = (*vars(self.person).values(), *vars(self.strengths).values())
        return ("simulated", GENERATOR_VERSION, *numbers, self.dimension, good, self.n_times, self.t_r)

    def read(self) -> NDArray[np.float64]:
        """Return the raw series, an array of shape (n_times, dimension); see Scan."""
        courses = self.person.rng(COURSES, self.person.visit)
        noise = self.person.rng(NOISE, self.person.visit, self.dimension)
        scale, mean = self._units()
        brain = _Brain(
            connectivity(self.person, self.strengths.connectivity),
            low_pass(spectrum(self.person, self.strengths.spectrum), self.t_r),
            dynamics(self.person, self.strengths.dynamics),
            self.t_r,
        )
        segments = [self._measure(brain, courses, noise) for _ in range(math.ceil(self.n_times / SEGMENT))]
        series: NDArray[np.float64] = np.concatenate(segments, axis=1)[:, : self.n_times].T * scale + mean
        return series

    def _measure(self, brain: _Brain, courses: np.random.Generator, noise: np.random.Generator) -> Float32Array:
        """Draw a segment of all components, of shape (dimension, SEGMENT)."""
        good, weights = component_weights(self.dimension, self.good_components)
        sources = brain.draw(courses)
        # Connectivity must not change how much of a component is white.
        weights = weights / brain.standard_deviation(weights)[:, None]
        motion = _draw_motion(courses, self.t_r) * np.float32(_MOTION_GAIN * self.head_motion / _TYPICAL_MOTION)
        series = np.empty((self.dimension, SEGMENT), dtype=np.float32)
        series[good] = (
            to_time((weights @ sources).view(np.float32)) + motion_field(self.dimension, self.good_components) @ motion
        )
        artefacts = np.setdiff1d(np.arange(self.dimension), good)
        own = noise.standard_normal((artefacts.size, 2 * sources.shape[1]), dtype=np.float32)
        breathing = band_pass(0.3, 0.05, self.t_r)
        series[artefacts] = to_time(own * (breathing + np.float32(0.3)).repeat(2)) + motion[0] / np.float32(
            _MOTION_GAIN
        )
        white = np.float32(_WHITE_OF_SITES[self.person.site])
        series += white * noise.standard_normal(series.shape, dtype=np.float32)
        return series

    def _units(self) -> tuple[FloatArray, FloatArray]:
        """Return the scale and the mean of each component, of shape (dimension,)."""
        good, weights = component_weights(self.dimension, self.good_components)
        log_amplitude = np.zeros(self.dimension)
        log_amplitude[good] = weights @ np.repeat(amplitude(self.person, self.strengths.amplitude), SOURCES_PER_NETWORK)
        gain = math.exp(_GAIN_OF_SITES[self.person.site])
        typical = np.exp(0.3 * np.random.default_rng([_POPULATION_SEED, self.dimension]).normal(size=self.dimension))
        if self.good_components:
            return _ICA_UNIT * gain * typical * np.exp(log_amplitude), np.zeros(self.dimension)
        mean = _PARCEL_MEAN * gain * typical
        return _PARCEL_CHANGE * mean * np.exp(log_amplitude), mean


@dataclass(frozen=True)
class _Brain:
    """What is constant within a scan: loadings, amplitudes of the networks' spectra, and dynamics."""

    loadings: Float32Array
    spectra: Float32Array
    dynamics: Dynamics
    t_r: float

    def draw(self, rng: np.random.Generator) -> NDArray[np.complex64]:
        """Draw a segment of all sources, in the Fourier domain: (n_sources, n_frequencies)."""
        n_numbers = 2 * self.spectra.shape[1]
        white = rng.standard_normal((N_LATENT + N_SOURCES, n_numbers), dtype=np.float32)
        mixed = self.loadings @ white[:N_LATENT] + np.float32(_UNIQUE_LOADING) * white[N_LATENT:]
        sources = mixed.view(np.complex64).reshape(N_NETWORKS, SOURCES_PER_NETWORK, -1)
        sources[list(AGE_NETWORKS)] += self._draw_switching(rng)[:, None]
        frequencies = np.fft.rfftfreq(SEGMENT, self.t_r)
        delayed = np.exp(-2j * np.pi * self.dynamics.delays[:, None] * frequencies)
        sources *= (self.spectra * delayed).astype(np.complex64)[:, None]
        return sources.reshape(N_SOURCES, -1)

    def standard_deviation(self, weights: Float32Array) -> Float32Array:
        """Return that of weighted sums of sources, of shape (n_sums,)."""
        of_networks = weights.reshape(len(weights), N_NETWORKS, -1).sum(axis=2)[:, list(AGE_NETWORKS)]
        parts = weights @ self.loadings, _UNIQUE_LOADING * weights, _SWITCHING_LOADING * of_networks
        return np.asarray(np.sqrt(sum((part**2).sum(axis=1) for part in parts)), dtype=np.float32)

    def _draw_switching(self, rng: np.random.Generator) -> NDArray[np.complex64]:
        """Draw a white course that networks share with the sign that the state gives them: (n_age_networks, ...)."""
        signs = self.dynamics.signs(rng, SEGMENT, self.t_r)
        course = rng.standard_normal(SEGMENT, dtype=np.float32)
        scale = _SWITCHING_LOADING / np.sqrt(SEGMENT / 2)
        return np.asarray(scale * np.fft.rfft(signs * course), dtype=np.complex64)


def _draw_motion(rng: np.random.Generator, t_r: float) -> Float32Array:
    """Draw motion's courses, slow drifts and spikes that all share in time, of shape (n_centres, SEGMENT)."""
    slow = low_pass(np.array([0.02]), t_r)[0]
    drifts = to_time(rng.standard_normal((_N_CENTRES, 2 * slow.size), dtype=np.float32) * slow.repeat(2))
    spikes = np.where(rng.random(SEGMENT) < 0.01, 4.0, 0.0) * rng.standard_normal((_N_CENTRES, SEGMENT))
    return np.asarray(drifts + spikes, dtype=np.float32)


@lru_cache(maxsize=1)
def source_positions() -> FloatArray:
    """Return where sources are in the head, in mm, of shape (n_sources, 3): each network has two places."""
    rng = np.random.default_rng(_POPULATION_SEED)
    places = rng.normal(size=(N_NETWORKS, 2, 3))
    places /= np.linalg.norm(places, axis=-1, keepdims=True)
    of_sources = np.repeat(places, (4, 3), axis=1).reshape(N_SOURCES, 3)
    return np.asarray(_HEAD * of_sources + rng.normal(scale=8, size=(N_SOURCES, 3)))


@lru_cache(maxsize=8)
def component_positions(dimension: int, good_components: tuple[int, ...] = ()) -> FloatArray:
    """Return where good components are, in mm, of shape (n_good, 3)."""
    return np.asarray(component_weights(dimension, good_components)[1] @ source_positions())


@lru_cache(maxsize=8)
def motion_field(dimension: int, good_components: tuple[int, ...]) -> Float32Array:
    """Return how much of each course of motion good components have, (n_good, n_centres): near ones have the same."""
    centres = source_positions()[np.linspace(0, N_SOURCES - 1, _N_CENTRES).astype(int)]
    distance = np.linalg.norm(component_positions(dimension, good_components)[:, None] - centres, axis=-1)
    field = np.exp(-((distance / _REACH) ** 2) / 2) + 1e-3
    return np.asarray(field / np.linalg.norm(field, axis=1, keepdims=True), dtype=np.float32)
