"""Feature sets: numbers that describe a participant's series or table row, from which baselines predict age.

Each module but ``base`` and ``joined`` defines one. What a set needs of other participants, such as a mean covariance,
is fitted on training participants. `FEATURES` has the sets that ``model.features`` may name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from brainage.errors import ConfigError, nearest
from brainage.models.features.amplitude import Amplitude
from brainage.models.features.base import FeatureSet
from brainage.models.features.connectivity import Connectivity
from brainage.models.features.motion import Motion
from brainage.models.features.random_convolutions import RandomConvolutions
from brainage.models.features.spectrum import Spectrum
from brainage.models.features.tangent import Tangent

FEATURES: dict[str, Callable[[], FeatureSet]] = {
    "correlation": partial(Connectivity, "correlation"),
    "partial": partial(Connectivity, "partial"),
    "tangent": Tangent,
    "spectrum": Spectrum,
    "random_convolutions": RandomConvolutions,
    "motion": Motion,
    "amplitude": Amplitude,
}

_KINDS = {"correlation": "correlation", "partial": "partial correlation", "tangent": "tangent space"}
_OTHERS = {
    "spectrum": "spectra",
    "random_convolutions": "responses to random convolutions",
    "motion": "head motion",
    "amplitude": "amplitudes",
}


def in_words(names: Sequence[str]) -> str:
    """Return feature sets as words, such as "connectivity (tangent space) and spectra"."""
    kinds = ", ".join(_KINDS[name] for name in names if name in _KINDS)
    words = [*([f"connectivity ({kinds})"] if kinds else []), *(_OTHERS[name] for name in names if name in _OTHERS)]
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])


def feature_sets(names: Sequence[str], key: str) -> list[FeatureSet]:
    """Return feature sets with their default settings.

    Parameters
    ----------
    names : sequence of str
        Different keys of `FEATURES`, one or more.
    key : str
        The config's key, for messages.

    Raises
    ------
    ConfigError
        A name is unknown, is given twice, or there is none.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not names or len(set(names)) < len(names):
        raise ConfigError(
            f"`{key}` must be a list of different feature sets, but got {names!r}. Use some of {', '.join(FEATURES)}: "
            f"{key}=[partial,tangent,spectrum]."
        )
    for name in names:
        if name not in FEATURES:
            raise ConfigError(f"`{key}` got {name!r}. {nearest(str(name), FEATURES)}")
    return [FEATURES[name]() for name in names]
