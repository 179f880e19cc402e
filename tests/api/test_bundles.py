"""A trained network predicts arrays, whatever their units, lengths and columns, or refuses them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from brainage.api.bundles import Bundle
from brainage.config.groups.modality import ModalityConfig
from brainage.errors import CohortError, EvaluationError, SeriesError
from brainage.evaluation.gap import Correction
from brainage.evaluation.training_stats import Spread
from brainage.models.variable1dcnn import Variable1DCNN
from brainage.trained.network import Architecture, Trained
from tests.trained.networks import constant

ICA = ModalityConfig(
    name="ica5", dimension=5, components="good", good_components=[2, 3, 5], n_channels=3, n_times=60, t_r=0.735
)
PARCELS = replace(ICA, name="three", dimension=3, components="all", good_components=None, windows="all")
ARGUMENTS = {"in_channels": 3, "kernel_size": 3, "depth": 1, "start_out": 4, "stride": 2, "n_times": 60}
RNG = np.random.default_rng(7)
FILES = [RNG.standard_normal((80, 5)) * 20 + 100 for _ in range(4)]


def bundle(modality: ModalityConfig = ICA, **changes: Any) -> Bundle:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        weights = Variable1DCNN(**ARGUMENTS).state_dict()
    changes = {"architecture": Architecture(modality, "variable1dcnn", ARGUMENTS), "weights": weights, **changes}
    return Bundle(constant(60.0, **changes))


def quiet(of: Bundle, *args: Any, **kwargs: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return of.predict(*args, **kwargs)["predicted_age"].to_numpy()


def expected(of: Bundle, arrays: list[np.ndarray]) -> np.ndarray:
    """Return what the network gives for the first 60 time points of its channels, z-scored here."""
    cut = np.stack([one[:60, [1, 2, 4]].T for one in arrays])
    z = (cut - cut.mean(axis=2, keepdims=True)) / cut.std(axis=2, keepdims=True)
    with torch.inference_mode():
        return of.network()(torch.tensor(z, dtype=torch.float32)).squeeze(1).numpy()


def test_arrays_are_z_scored_cut_and_put_into_the_network_s_channels() -> None:
    found = quiet(bundle(), FILES, t_r=0.735)
    np.testing.assert_allclose(found, expected(bundle(), FILES), rtol=1e-5)
    numbered = [one[:, [4, 2, 1]] for one in FILES]
    np.testing.assert_allclose(quiet(bundle(), numbered, channels=[5, 3, 2], t_r=0.735), found, rtol=1e-6)
    np.testing.assert_allclose(quiet(bundle(), [one / 1000 for one in FILES], t_r=0.735), found, rtol=1e-5)


def test_names_are_put_in_order_and_others_are_ignored() -> None:
    named = bundle(PARCELS, channel_names=("V1", "V2", "M1"))
    in_order = [one[:, [1, 2, 4]] for one in FILES]
    expected = quiet(named, in_order, channels=["V1", "V2", "M1"], t_r=0.735)
    turned = [one[:, [4, 0, 2, 1]] for one in FILES]
    np.testing.assert_allclose(quiet(named, turned, channels=["M1", "S1", "V2", "V1"], t_r=0.735), expected, rtol=1e-6)
    assert named.channels == ["V1", "V2", "M1"]
    assert bundle().channels == [2, 3, 5]


def test_longer_series_are_means_over_windows_of_a_network_that_sees_windows() -> None:
    named = bundle(PARCELS)
    of_windows = [quiet(named, [one[begin : begin + 60, :3] for one in FILES]) for begin in (0, 20)]
    # Each window is z-scored by itself here, and the whole series there.
    whole = quiet(named, [one[:, :3] for one in FILES])
    np.testing.assert_allclose(whole, np.mean(of_windows, axis=0), atol=0.2)


def test_ages_give_gaps_and_the_network_s_correction() -> None:
    fit = Correction("linear", intercept=6.0, slope=-0.1, n=20, fitted_on="validation", people="")
    known = Spread(50, 60.0, 5.0, 50.0, 70.0)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = bundle(correction=fit, gap_correction="linear", ages=known).predict(
            dict(zip("wxyz", FILES, strict=True)), ages=[60.0, np.nan, 95.0, 65.0], t_r=0.735
        )
    assert any("1 of 3 known ages are outside" in str(one.message) for one in warned)
    assert found.index.tolist() == list("wxyz")
    assert found.columns.tolist() == ["age", "predicted_age", "bag", "bag_corrected"]
    assert found["bag"]["w"] == pytest.approx(found["predicted_age"]["w"] - 60)
    assert found["bag_corrected"]["w"] == pytest.approx(found["bag"]["w"] - (6.0 - 0.1 * 60))
    assert np.isnan(found["bag"]["x"])


def test_an_unknown_repetition_time_is_a_warning() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        bundle().predict(FILES)
    assert any("repetition time of 4 of 4 participants is unknown" in str(one.message) for one in warned)


def test_another_repetition_time_is_refused_or_resampled() -> None:
    with pytest.raises(CohortError, match=r"trained at 0\.735 s.*4 of 4 participants.*2 s \(4\).*resample=true"):
        bundle().predict(FILES, t_r=2.0)
    assert quiet(bundle(), FILES, t_r=[2.0, 0.735, 2.0, 1.0], resample=True).shape == (4,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one[:50], "too few time points: 50, expected at least 60"),
        (lambda one: one[:, :4], "wrong number of columns: 4, expected 5"),
        (lambda one: one.T, "wrong number of columns: 80, expected 5; are channels in rows"),
        (lambda one: np.where(one > 140, np.nan, one) * [1, np.nan, 1, 1, 1], "NaN or infinity"),
        (lambda one: one * [1, 1, 0, 1, 1], "constant component: number 2"),
        (lambda one: one[0], "not a table of time points and channels: 1 axes"),
        (lambda one: [["a"]], "not a table of numbers"),
    ],
)
def test_unusable_arrays_are_named_by_their_positions(change: Any, message: str) -> None:
    with pytest.raises(SeriesError, match=f"2 of 4 series cannot be used: number 1: {message}.*; number 3: "):
        bundle().predict([FILES[0], change(FILES[1]), FILES[2], change(FILES[3])], t_r=0.735)


@pytest.mark.parametrize(
    ("of", "channels", "message"),
    [
        (bundle(PARCELS, channel_names=("V1", "V2", "M1")), None, "was trained on channels with names"),
        (bundle(PARCELS, channel_names=("V1", "V2", "M1")), [1, 2, 3, 4, 5], "was trained on channels with names"),
        (bundle(PARCELS, channel_names=("V1", "V2", "M1")), list("abcde"), "3 of its 3 names are not among the 5"),
        (bundle(), list("abcde"), "has no names of its channels"),
        (bundle(), [1, 2, 3, 4, 6], r"was trained on the components \[2, 3, 5\]"),
        (bundle(), [1, 2, 3, 3, 5], "must be different"),
    ],
)
def test_other_channels_are_refused(of: Bundle, channels: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        of.predict(FILES, channels=channels, t_r=0.735)


def test_numbers_of_ages_are_compared() -> None:
    with pytest.raises(ValueError, match=r"`ages` must have 4 values, one a series, but has shape \(3,\)"):
        bundle().predict(FILES, ages=[1, 2, 3], t_r=0.735)


def test_its_representation_is_short_and_has_no_ids() -> None:
    assert repr(bundle()) == "<brainage.Bundle variable1dcnn, ica5: 3 channels, 60 time points, TR 0.735 s>"
    assert isinstance(bundle()._trained, Trained)
