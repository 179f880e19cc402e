"""What version 2's series carry about brain age: connectivity, spectrum, dynamics and amplitude, each a function.

Brain age acts on the networks in ``AGE_NETWORKS``, on each along its own curve, and in directions of both signs, so
that no single number shows it. Dynamics leave covariance and spectra as they are: states switch the signs of white
noise before it is filtered, and delays have mean zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainage.data.cohorts.simulated_series import AGE_NETWORKS, N_NETWORKS, N_SOURCES, SOURCES_PER_NETWORK

# Streams of random numbers, part of a generator's seed; those of version 1 are below 10.
PEOPLE, SECOND_VISITS, CONNECTIVITY, SPECTRUM, DYNAMICS, AMPLITUDE, COURSES, NOISE = range(11, 19)

N_SITES = 4
N_STATES = 4
# Latent courses: the networks' own, then those that networks share.
N_LATENT = 2 * N_NETWORKS

_POPULATION_SEED = 20228

# Tuned to the targets of ``tests/data/cohorts/test_simulated2_difficulty.py``. Effects of age are per decade of brain
# age, those of sex are men minus women, and variations are standard deviations between participants.
_CURVATURE = 0.25
_OWN_LOADING, _SHARED_LOADING = 0.75, 0.3
_NETWORK_VARIATION, _SOURCE_VARIATION, _VISIT_VARIATION = 0.1, 0.1, 0.03
_AGE_ON_NETWORK, _AGE_ON_SOURCE = 0.0525, 0.035
_SEX_ON_LOADINGS, _SITE_ON_LOADINGS = 0.045, 0.03

_KNEE, _KNEE_OF_NETWORK = 0.085, 0.25  # Hz, and its spread between networks, log
_KNEE_VARIATION, _KNEE_COMMON_VARIATION, _KNEE_AGE, _KNEE_SEX = 0.22, 0.15, 0.06, 0.05
_KNEE_OF_SITES = np.array([0.0, 0.08, -0.06, 0.12])

_DWELL, _DWELL_VARIATION, _DWELL_AGE = 20.0, 0.15, 0.5  # seconds, then log
_DELAY_VARIATION, _DELAY_AGE = 0.12, 0.07  # seconds

_AMPLITUDE_COMMON_VARIATION, _AMPLITUDE_VARIATION, _AMPLITUDE_VISIT_VARIATION = 0.25, 0.22, 0.12
_AMPLITUDE_AGE, _AMPLITUDE_SEX = -0.05, 0.05

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """What determines a participant's brain at a visit.

    `index` is the participant's number and `visit` the visit's, from 0; `brain_age` is in decades from 63.4 years.
    `sex` is 0 (female) or 1, `site` a number from 0, `head_motion` in mm.
    """

    cohort_seed: int
    index: int
    visit: int
    brain_age: float
    sex: int
    site: int
    head_motion: float

    def rng(self, *stream: int) -> np.random.Generator:
        """Return the participant's own random numbers of a stream."""
        return np.random.default_rng([self.cohort_seed, self.index, *stream])


@dataclass(frozen=True)
class Strengths:
    """How strongly each part depends on brain age; 0 is not at all."""

    connectivity: float = 1.0
    spectrum: float = 1.0
    dynamics: float = 1.0
    amplitude: float = 1.0


def connectivity(person: Person, strength: float) -> Float32Array:
    """Return the loadings of sources on latent courses, of shape (n_sources, n_latent)."""
    typical, rng = _population(), person.rng(CONNECTIVITY)
    loadings = (
        typical.loadings
        + np.float32(strength) * _by_source(_response(person))[:, None] * typical.age_loadings
        + np.float32(person.sex - 0.5) * typical.sex_loadings
        + typical.site_loadings[person.site]
        + _variation(rng, _NETWORK_VARIATION, _SOURCE_VARIATION)
        + _variation(person.rng(CONNECTIVITY, 1 + person.visit), _VISIT_VARIATION, _VISIT_VARIATION)
    )
    return np.asarray(loadings, dtype=np.float32)


def spectrum(person: Person, strength: float) -> FloatArray:
    """Return the networks' knees in Hz: power falls as ``1 / (1 + (frequency / knee) ** 2) ** 2``."""
    typical, rng = _population(), person.rng(SPECTRUM)
    log_knee = (
        typical.log_knee
        + strength * _response(person) * typical.age_knee
        + (person.sex - 0.5) * _KNEE_SEX
        + _KNEE_OF_SITES[person.site]
        + _KNEE_COMMON_VARIATION * rng.standard_normal()
        + _KNEE_VARIATION * rng.standard_normal(N_NETWORKS)
    )
    return np.asarray(np.exp(log_knee))


@dataclass(frozen=True)
class Dynamics:
    """The mean duration of a state, in seconds, and the delay of each network, in seconds, of shape (n_networks,)."""

    dwell: float
    delays: FloatArray

    def signs(self, rng: np.random.Generator, n_times: int, t_r: float) -> Float32Array:
        """Draw the course of states, and return the sign of each network that age acts on, (n_networks, n_times)."""
        switches = rng.random(n_times) < -np.expm1(-t_r / self.dwell)
        steps = np.where(switches, rng.integers(1, N_STATES, size=n_times), 0)
        states = (rng.integers(N_STATES) + steps.cumsum()) % N_STATES
        return _STATE_SIGNS[:, states]


# Signs of four groups of networks in each state. Two groups have the same sign in as many states as they have not.
_GROUPS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=np.float32)
_STATE_SIGNS = np.repeat(_GROUPS, len(AGE_NETWORKS) // len(_GROUPS), axis=0)


def dynamics(person: Person, strength: float) -> Dynamics:
    """Return the participant's dynamics: older brains stay in a state longer, and networks lead or lag more."""
    typical, rng = _population(), person.rng(DYNAMICS)
    log_dwell = strength * _DWELL_AGE * person.brain_age + _DWELL_VARIATION * rng.standard_normal()
    delays = strength * _response(person) * typical.age_delay + _DELAY_VARIATION * rng.standard_normal(N_NETWORKS)
    return Dynamics(_DWELL * float(np.exp(log_dwell)), delays)


def amplitude(person: Person, strength: float) -> FloatArray:
    """Return the networks' log amplitudes, of shape (n_networks,); z-scores do not have them."""
    rng, of_visit = person.rng(AMPLITUDE), person.rng(AMPLITUDE, 1 + person.visit)
    own = _AMPLITUDE_COMMON_VARIATION * rng.standard_normal() + _AMPLITUDE_VARIATION * rng.standard_normal(N_NETWORKS)
    own += _AMPLITUDE_VISIT_VARIATION * of_visit.standard_normal(N_NETWORKS)
    ageing = strength * _AMPLITUDE_AGE * _response(person) * np.isin(np.arange(N_NETWORKS), AGE_NETWORKS)
    return np.asarray(own + ageing + (person.sex - 0.5) * _AMPLITUDE_SEX)


def _response(person: Person) -> FloatArray:
    """Return how far each network has aged: brain age along the network's own curve, of shape (n_networks,)."""
    z = person.brain_age
    return np.asarray(z + _population().curvature * (z**2 - 0.74))


def _variation(rng: np.random.Generator, of_network: float, of_source: float) -> Float32Array:
    """Draw deviations of loadings."""
    networks = rng.standard_normal((N_NETWORKS, N_LATENT), dtype=np.float32)
    sources = rng.standard_normal((N_SOURCES, N_LATENT), dtype=np.float32)
    return np.float32(of_network) * _by_source(networks) + np.float32(of_source) * sources


def _by_source(of_networks: NDArray[Any]) -> Float32Array:
    return np.repeat(of_networks, SOURCES_PER_NETWORK, axis=0).astype(np.float32)


@dataclass(frozen=True)
class _Population:
    """Parameters that all cohorts share, so that a network trained on one can be applied to another."""

    loadings: Float32Array
    age_loadings: Float32Array
    sex_loadings: Float32Array
    site_loadings: Float32Array
    log_knee: FloatArray
    age_knee: FloatArray
    age_delay: FloatArray
    curvature: FloatArray


@lru_cache(maxsize=1)
def _population() -> _Population:
    """Draw the average participant and the directions of age, sex and site."""
    rng = np.random.default_rng(_POPULATION_SEED)
    own = _by_source(np.eye(N_NETWORKS, N_LATENT))
    shared = _by_source(rng.normal(size=(N_NETWORKS, N_LATENT))) + 0.5 * rng.normal(size=(N_SOURCES, N_LATENT))
    shared[:, :N_NETWORKS] = 0
    carrying = np.isin(np.arange(N_NETWORKS), AGE_NETWORKS)
    ageing = _AGE_ON_NETWORK * _by_source(rng.normal(size=(N_NETWORKS, N_LATENT)))
    ageing = ageing + _AGE_ON_SOURCE * rng.normal(size=(N_SOURCES, N_LATENT))
    # Age changes only covariance among the networks that carry it, not their covariance with other networks.
    ageing *= np.outer(_by_source(carrying), np.concatenate([carrying, np.zeros(N_NETWORKS)]))
    of_sex = _SEX_ON_LOADINGS * rng.normal(size=(N_SOURCES, N_LATENT))
    of_sites = _SITE_ON_LOADINGS * rng.normal(size=(N_SITES, N_SOURCES, N_LATENT))
    log_knee = np.log(_KNEE) + _KNEE_OF_NETWORK * rng.normal(size=N_NETWORKS)
    return _Population(
        (_OWN_LOADING * own + _SHARED_LOADING * shared).astype(np.float32),
        ageing.astype(np.float32),
        of_sex.astype(np.float32),
        of_sites.astype(np.float32),
        log_knee,
        _KNEE_AGE * _balanced(rng),
        _DELAY_AGE * _balanced(rng),
        _CURVATURE * rng.uniform(-1, 1, size=N_NETWORKS),
    )


def _balanced(rng: np.random.Generator) -> FloatArray:
    """Return +1 or -1 for each network that age acts on, as many of each, and 0 for the others."""
    signs = np.zeros(N_NETWORKS)
    signs[list(AGE_NETWORKS)] = rng.permutation(np.repeat([-1.0, 1.0], len(AGE_NETWORKS) // 2))
    return signs
