"""Harmonisation between sites: the closed form, what enters a fit, and what a prediction uses."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainage import models
from brainage.data.participants import Participants
from brainage.errors import CohortError, ConfigError
from brainage.models.features.harmonize import METHODS, Harmonizer, Sited
from brainage.training.baseline import fit_baseline

N, N_FEATURES = 90, 40
SITES = np.repeat(["Ålesund", "Hull", "York"], [20, 30, 40])


def drawn() -> tuple[np.ndarray, Sited, np.ndarray]:
    """Return features with effects of age, sex and site; York is older."""
    rng = np.random.default_rng(0)
    age = rng.uniform(45, 75, N) + 8 * (SITES == "York")
    sex = rng.integers(2, size=N).astype(float)
    shift, scale = rng.normal(0.5, 1, (3, N_FEATURES)), rng.uniform(0.5, 2, (3, N_FEATURES))
    number = np.unique(SITES, return_inverse=True)[1]
    features = rng.normal(size=(N, N_FEATURES)) * scale[number] + shift[number]
    features += 0.1 * (age - 60)[:, None] + 0.3 * sex[:, None]
    return features, Sited(features, SITES, sex), age


def fitted(method: str) -> tuple[Harmonizer, np.ndarray, Sited, np.ndarray]:
    features, people, age = drawn()
    found = Harmonizer(method)
    found.fit(features, people, age, [slice(0, N_FEATURES)])
    return found, features, people, age


def test_combat_is_the_published_one_feature_by_feature() -> None:
    found, features, people, age = fitted("combat")
    names = np.unique(SITES)
    design = np.column_stack([*(name == SITES for name in names), age - age.mean(), people.sex - people.sex.mean()])
    coefficients = np.array([np.linalg.lstsq(design, one, rcond=None)[0] for one in features.T])
    grand = coefficients[:, :3] @ [(name == SITES).mean() for name in names]
    sd = np.sqrt(((features.T - coefficients @ design.T) ** 2).mean(axis=1))
    standard = (features - grand - design[:, 3:] @ coefficients[:, 3:].T) / sd
    for number, name in enumerate(names):
        own = standard[name == SITES]
        gamma, delta, n = own.mean(axis=0), own.var(axis=0, ddof=1), len(own)
        tau, a = gamma.var(ddof=1), (2 * delta.var(ddof=1) + delta.mean() ** 2) / delta.var(ddof=1)
        b = (delta.mean() * delta.var(ddof=1) + delta.mean() ** 3) / delta.var(ddof=1)
        for feature in range(N_FEATURES):
            g, d = gamma[feature], delta[feature]
            for _ in range(200):
                g = (tau * n * gamma[feature] + d * gamma.mean()) / (tau * n + d)
                d = (0.5 * ((own[:, feature] - g) ** 2).sum() + b) / (n / 2 + a - 1)
            arrays = found.arrays()
            assert arrays["site_shift"][number, feature] == pytest.approx(g * sd[feature], rel=1e-3, abs=1e-3)
            assert arrays["site_scale"][number, feature] == pytest.approx(np.sqrt(d), rel=1e-3)


def test_centring_removes_the_sites_means_and_keeps_what_age_and_sex_make() -> None:
    found, features, people, age = fitted("center")
    harmonised = found.transform(features, SITES)
    design = np.column_stack([*(name == SITES for name in np.unique(SITES)), age, people.sex])
    before, after = (np.linalg.lstsq(design, one, rcond=None)[0] for one in (features, harmonised))
    np.testing.assert_allclose(np.ptp(after[:3], axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(after[3:], before[3:], atol=1e-9)
    np.testing.assert_allclose(harmonised.mean(axis=0), features.mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_site_without_statistics_is_left_as_it_is_and_others_use_their_sites_alone(method: str) -> None:
    found, features, _, _ = fitted(method)
    sites = np.where(np.arange(N) % 2, SITES, np.where(np.arange(N) % 4, "Oslo", ""))
    harmonised = found.transform(features, sites)
    np.testing.assert_array_equal(harmonised[::2], features[::2])
    assert (harmonised[1::2] != features[1::2]).any(axis=1).all()
    # One at a time gives the same as all together: nothing of the predicted ones is fitted.
    for row in (1, 31, 71):
        np.testing.assert_array_equal(found.transform(features[[row]], sites[[row]])[0], harmonised[row])


def test_columns_outside_the_sets_and_sites_of_fewer_than_ten_are_left() -> None:
    features, people, age = drawn()
    site = np.where(np.arange(N) < 9, "Small", SITES)
    found = Harmonizer("combat")
    found.fit(features, Sited(features, site, people.sex), age, [slice(0, 10), slice(10, 30)])
    harmonised = found.transform(features, site)
    np.testing.assert_array_equal(harmonised[:, 30:], features[:, 30:])
    np.testing.assert_array_equal(harmonised[:9], features[:9])
    assert (harmonised[9:, :30] != features[9:, :30]).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_is_fitted_is_restored_from_numbers(method: str) -> None:
    found, features, _, _ = fitted(method)
    again = Harmonizer("")
    again.restore({key: np.array(value) for key, value in found.arrays().items()})
    assert all(value.dtype.kind in "if" for value in found.arrays().values())
    np.testing.assert_array_equal(again.transform(features, SITES), found.transform(features, SITES))


def with_other_series(people: Participants, held_out: np.ndarray, folder: Path) -> Participants:
    """Return participants of whom the held-out ones have the series of others."""
    series = np.where(held_out[:, None, None], -(np.roll(people.store.series, 1, axis=0) ** 3), people.store.series)
    folder.mkdir()
    checksums = np.array([zlib.crc32(row.data) for row in series], dtype=np.uint32)
    return replace(people, store=replace(people.store, folder=folder, series=series, checksums=checksums))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["ridge_connectivity", "ridge_spectrum"])
def test_nothing_of_held_out_participants_enters_a_fit_and_their_age_no_prediction(
    name: str, method: str, people: Participants, tmp_path: Path
) -> None:
    usual = fit_baseline(name, {}, people, method)
    held_out = ~people.table["split"].eq("train").to_numpy()
    other_ages = people.table.assign(age=np.where(held_out, people.ages + 20, people.ages), sex=held_out.astype(float))
    aged = fit_baseline(name, {}, replace(people, table=other_ages), method)
    np.testing.assert_array_equal(aged.predicted, usual.predicted)
    moved = fit_baseline(name, {}, with_other_series(people, held_out, tmp_path / "other"), method)
    assert (moved.predicted[held_out] != usual.predicted[held_out]).mean() > 0.5
    for found in (aged, moved):
        assert found.arrays.keys() == usual.arrays.keys()
        for key, value in usual.arrays.items():
            np.testing.assert_array_equal(found.arrays[key], value, err_msg=key)
    assert (usual.predicted != fit_baseline(name, {}, people).predicted).any()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ridge_motion", {}, "is for features of series, such as connectivity, but the model has none"),
        ("site_mean", {}, "is for baselines on features of series, but got `model=site_mean`"),
    ],
)
def test_models_without_features_of_series_are_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"`harmonize=combat` {message}"):
        models.build_baseline(name, arguments, "combat")


def test_one_site_cannot_be_harmonised() -> None:
    features, people, age = drawn()
    with pytest.raises(CohortError, match="needs two or more sites with 10 training participants, but there are 1"):
        Harmonizer("center").fit(features[:25], people[:25], age[:25], [slice(0, N_FEATURES)])
