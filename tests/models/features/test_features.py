"""Feature sets: equal to independent formulas and libraries, and their error messages."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from nilearn.connectome import ConnectivityMeasure
from scipy.linalg import logm
from sklearn.covariance import ledoit_wolf

from brainage import models
from brainage.data.participants import Participants
from brainage.errors import CohortError, ConfigError
from brainage.models.features import FEATURES, feature_sets, in_words
from brainage.models.features.random_convolutions import RandomConvolutions
from brainage.models.features.spectrum import Spectrum
from brainage.models.features.tangent import Tangent
from brainage.training.baseline import fit_baseline
from tests.models.people import people_of

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "model"


def test_every_feature_set_has_words() -> None:
    assert len({in_words([name]) for name in FEATURES}) == len(FEATURES)
    found = in_words(["motion", "tangent", "spectrum", "partial"])
    assert found == "connectivity (tangent space, partial correlation), head motion and spectra"


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml") if models.is_baseline(path.stem)))
def test_a_baselines_config_has_the_defaults_of_its_arguments(name: str, people: Participants) -> None:
    given = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    assert given.pop("name") == name
    small = people.where(np.arange(60) < 24)
    arrays = [fit_baseline(name, arguments, small).arrays for arguments in (given, {})]
    assert arrays[0].keys() == arrays[1].keys()
    assert all(np.array_equal(value, arrays[1][key]) for key, value in arrays[0].items())


def test_tangent_vectors_are_those_of_nilearn(people: Participants) -> None:
    training = people.part("train")
    tangent = Tangent()
    raw = tangent.raw(people)
    tangent.fit(raw[:40])
    by_nilearn = ConnectivityMeasure(kind="tangent", vectorize=True, standardize=False)
    by_nilearn.fit([people.store.series[row].T for row in training.rows])
    expected = by_nilearn.transform([people.store.series[row].T for row in people.rows])
    np.testing.assert_allclose(tangent.transform(raw), expected, atol=1e-5)
    np.testing.assert_allclose(tangent.transform(raw[50:51]), expected[50:51], atol=1e-5)  # also of one participant


# What another program makes of model.npz


def spectra(x: Any, arrays: dict[str, Any]) -> Any:
    """Return log shares of power, by the discrete Fourier transform at multiples of 1 / 1250 / 0.8 s = 0.001 Hz."""
    n_times, bands, lags = x.shape[1], arrays["spectrum_bands"], int(arrays["spectrum_lags"])
    frequencies = np.arange(626) * 0.001
    waves = np.exp(-2j * np.pi * np.outer(frequencies, np.arange(n_times) * 0.8))
    power = np.abs(waves @ (x * np.hanning(n_times)).T).T ** 2
    inside = [
        (frequencies >= low - 1e-9) & (frequencies < high - 1e-9) for low, high in zip(bands, bands[1:], strict=False)
    ]
    shares = [power[:, one].mean(axis=1) / power.mean(axis=1) for one in inside]
    lagged = [(x[:, lag:] * x[:, :-lag]).sum(axis=1) / (x**2).sum(axis=1) for lag in range(1, lags + 1)]
    return np.stack([*np.log(shares), *lagged], axis=1).ravel()


def tangents(x: Any, arrays: dict[str, Any]) -> Any:
    whitening = arrays["tangent_whitening"]
    log = logm(whitening @ ledoit_wolf(x.T)[0] @ whitening).real
    np.fill_diagonal(log, np.diag(log) / np.sqrt(2))
    return log[np.tril_indices(len(log))]


def partials(x: Any, arrays: dict[str, Any]) -> Any:
    precision = np.linalg.inv(ledoit_wolf(x.T)[0])
    scale = np.sqrt(np.diag(precision))
    return np.arctanh((-precision / np.outer(scale, scale))[np.tril_indices(len(scale), -1)])


def convolved(x: Any, arrays: dict[str, Any]) -> Any:
    found = []
    for kernel, dilation in zip(
        *(arrays[f"random_convolutions_{key}"] for key in ("kernels", "dilations")), strict=True
    ):
        spread = np.zeros((len(kernel), 8 * dilation + 1))
        spread[:, ::dilation] = kernel
        response = np.sum([np.correlate(*pair) for pair in zip(x, spread, strict=True)], axis=0)
        shares = [(response > threshold).mean() for threshold in arrays["random_convolutions_thresholds"]]
        found += [*shares, np.log(response.std() + 1e-6)]
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "arguments", "formulas"),
    [
        ("ridge_connectivity", {"kind": "partial correlation"}, [partials]),
        ("ridge_features", {"features": ["tangent", "spectrum"]}, [tangents, spectra]),
        ("kernel_ridge", {"features": ["spectrum", "partial"]}, [spectra, partials]),
        ("random_convolutions", {"n_kernels": 12, "seed": 3}, [convolved]),
    ],
    ids=["ridge_connectivity", "ridge_features", "kernel_ridge", "random_convolutions"],
)
def test_predictions_follow_from_the_arrays_of_the_models_file(
    name: str, arguments: dict[str, Any], formulas: list[Any], people: Participants
) -> None:
    fitted = fit_baseline(name, arguments, people)
    arrays = fitted.arrays
    series = people.store.series.astype(float)
    features = np.array([np.concatenate([one(x, arrays) for one in formulas]) for x in series])
    z = (features - arrays["center"]) / arrays["scale"]
    if name == "kernel_ridge":
        z = (z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True)
    np.testing.assert_allclose(z @ arrays["weights"] + arrays["intercept"], fitted.predicted, atol=0.02)


def test_a_kernel_ridge_is_the_ridge_in_the_space_of_training_participants(people: Participants) -> None:
    fitted = fit_baseline("kernel_ridge", {"features": ["correlation"]}, people)
    raw = feature_sets(["correlation"], "features")[0].raw(people).astype(float)
    z = (raw - fitted.arrays["center"]) / fitted.arrays["scale"]
    kernel = np.corrcoef(z)[:, :40] * raw.shape[1]
    training = kernel[:40]
    one = np.ones((40, 1))
    system = np.block([[training + fitted.arrays["alpha"] * np.eye(40), one], [one.T, np.zeros((1, 1))]])
    solved = np.linalg.solve(system, np.append(people.ages[:40], 0))
    np.testing.assert_allclose(kernel @ solved[:40] + solved[40], fitted.predicted, atol=1e-6)


# Spectra


def test_a_sine_is_in_its_band_and_autocorrelated_as_a_cosine(tmp_path: Path) -> None:
    seconds = np.arange(400) * 0.5
    given = people_of(tmp_path, np.sin(2 * np.pi * np.array([[[0.05], [0.2]]]) * seconds), t_r=0.5, age=[60.0])
    found = Spectrum([0.01, 0.04, 0.06, 0.15, 0.3], lags=2)
    features = found.raw(given).reshape(2, 6)
    assert features[:, :4].argmax(axis=1).tolist() == [1, 3]
    expected = np.cos(2 * np.pi * np.array([[0.05], [0.2]]) * [0.5, 1.0])
    np.testing.assert_allclose(features[:, 4:], expected, atol=0.02)


def test_bands_above_the_nyquist_frequency_are_left_out_and_the_one_across_it_is_cut(people: Participants) -> None:
    slow = replace(people, t_r=2.0)
    spectrum = Spectrum([0.05, 0.1, 0.2, 0.3, 0.4], lags=0)
    assert spectrum.raw(slow).shape == (60, 4 * 3)
    spectrum.fit(spectrum.raw(slow))
    np.testing.assert_allclose(spectrum.arrays()["bands"], [0.05, 0.1, 0.2, 0.25])
    with pytest.raises(CohortError, match=r"must begin below 0.25 Hz.*repetition time of 2 s, but begin at 0.3 Hz"):
        Spectrum([0.3, 0.4]).raw(slow)


def test_a_missing_component_has_the_means_of_training(people: Participants) -> None:
    people.store.series[50, 1] = 0
    people.store.checksums[50] = zlib.crc32(people.store.series[50].data)
    spectrum = Spectrum([0.05, 0.1, 0.2], lags=1)
    raw = spectrum.raw(people)
    spectrum.fit(raw[:40])
    features = spectrum.transform(raw)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features[50, 3:6], features[:40, 3:6].mean(axis=0), rtol=1e-5)


def test_repetition_times_may_differ_without_autocorrelations(people: Participants) -> None:
    table = people.table.assign(t_r=np.where(np.arange(60) < 30, 0.8, 2.0))
    mixed = replace(people, t_r=None, table=table)
    with pytest.raises(CohortError, match=r"need one repetition time, but got several, from 0.8 to 2 s. Use .*lags=0"):
        Spectrum().raw(mixed)
    bands = [0.05, 0.1, 0.2]
    found = Spectrum(bands, lags=0).raw(mixed)
    np.testing.assert_allclose(found[:30], Spectrum(bands, lags=0).raw(people)[:30])
    np.testing.assert_allclose(found[30:], Spectrum(bands, lags=0).raw(replace(people, t_r=2.0))[30:])
    # Cached values are those of these participants and repetition times.
    some = mixed.where(np.arange(60) % 2 == 0)
    np.testing.assert_array_equal(Spectrum(bands, lags=0).raw(some), found[::2])


# Messages


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Spectrum([0.1]), r"`model.bands` must be two or more rising edges.*but got \[0.1\]"),
        (lambda: Spectrum([0.1, 0.1005]), r"0.002 Hz apart or more, but got"),
        (lambda: Spectrum([-0.1, 0.2]), r"`model.bands` must be"),
        (lambda: Spectrum(["a", "b"]), r"`model.bands` must be .*but got \['a', 'b'\]"),
        (lambda: Spectrum(lags=-1), r"`model.lags` must be a number of time points, 0 or more, but got -1"),
        (lambda: RandomConvolutions(n_kernels=0), r"`model.n_kernels` must be an integer, 1 or more, but got 0"),
        (lambda: RandomConvolutions(seed=True), r"`model.seed` must be an integer, 0 or more, but got True"),
        (lambda: feature_sets([], "model.features"), r"must be a list of different feature sets, but got \[\]"),
        (lambda: feature_sets("tangent", "model.features"), r"but got 'tangent'. Use some of correlation, partial"),
        (lambda: feature_sets(["motion"] * 2, "model.features"), r"`model.features` must be a list of different"),
        (lambda: feature_sets(["tangnet"], "model.features"), r"got 'tangnet'. .*Did you mean `tangent`"),
    ],
)
def test_a_bad_argument_is_named(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_unknown_repetition_times_are_counted(people: Participants) -> None:
    unknown = replace(people, t_r=None, table=people.table.assign(t_r=[0.8] * 57 + [np.nan] * 3))
    with pytest.raises(CohortError, match=r"unknown for 3 of 60 participants. Give it with modality.t_r=SECONDS"):
        Spectrum().raw(unknown)


def test_series_shorter_than_a_kernel_or_a_lag_are_refused(people: Participants) -> None:
    with pytest.raises(ConfigError, match=r"`model.lags` must be below `modality.n_times`, 120, but got 120."):
        Spectrum(lags=120).raw(people)
    with pytest.raises(ConfigError, match=r"need 9 time points or more, but `modality.n_times` is 8"):
        RandomConvolutions().raw(replace(people, n_times=8))
