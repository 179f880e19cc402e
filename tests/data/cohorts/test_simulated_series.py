"""The series of the simulated cohort: reproducible, realistic, and as difficult as designed."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.data.cohorts.simulated_series import GENERATOR_VERSION, SimulatedScan, age_components
from brainage.data.store.checked import check_series
from brainage.data.store.reading import Reading

N_TIMES = 490


SCAN = SimulatedScan(
    cohort_seed=0,
    index=3,
    brain_age_effect=0.5,
    head_motion=0.1,
    site=1,
    dimension=25,
    good_components=GOOD_COMPONENTS[25],
    n_times=N_TIMES,
    t_r=0.735,
)


def good_series(dimension: int, n_participants: int, signal: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return ages and series, an array of shape (n_participants, n_good, n_times)."""
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=n_participants, signal=signal, good_components=good)
    table = cohort.read_table()
    scans = cohort.find_scans(table["participant_id"], dimension).values()
    series = [check_series(scan.read(), Reading(dimension, N_TIMES)).series[np.array(good) - 1] for scan in scans]
    return table["age"].to_numpy(), np.stack(series)


def connections(series: np.ndarray) -> np.ndarray:
    """Return correlations of pairs of components, an array of shape (..., n_pairs)."""
    rows, columns = np.triu_indices(series.shape[-2], 1)
    return (series @ np.swapaxes(series, -1, -2) / series.shape[-1])[..., rows, columns]


def ridge_errors(age: np.ndarray, series: np.ndarray, penalty: float) -> tuple[float, float]:
    """Return the test MAE of a ridge on Fisher-z connectivity and that of the mean of the training ages."""
    features = np.arctanh(connections(series))
    n_train = int(0.8 * len(age))
    features = (features - features[:n_train].mean(axis=0)) / features[:n_train].std(axis=0)
    train, test, mean = features[:n_train], features[n_train:], age[:n_train].mean()
    kernel = train @ train.T + penalty * np.eye(n_train)
    predicted = mean + test @ (train.T @ np.linalg.solve(kernel, age[:n_train] - mean))
    return float(np.abs(predicted - age[n_train:]).mean()), float(np.abs(mean - age[n_train:]).mean())


@pytest.mark.parametrize("dimension", [1, 25, 50, 100])
def test_every_dimension_gives_usable_series_even_if_all_components_are_good(dimension: int) -> None:
    cohort = SimulatedCohort(n_participants=2)
    for scan in cohort.find_scans(["sim000001", "sim000002"], dimension).values():
        raw = scan.read()
        assert raw.shape == (N_TIMES, dimension)
        check_series(raw, Reading(dimension, N_TIMES))


def test_a_scan_reads_the_same_every_time_and_after_pickling() -> None:
    pickled = pickle.dumps(SCAN)
    assert len(pickled) < 1000
    np.testing.assert_array_equal(pickle.loads(pickled).read(), SCAN.read())


def test_a_longer_scan_starts_with_the_shorter_one() -> None:
    long = replace(SCAN, n_times=1200).read()
    for n_times in (N_TIMES, 523, 980):
        np.testing.assert_array_equal(replace(SCAN, n_times=n_times).read(), long[:n_times])


def test_every_field_changes_content_and_stamp() -> None:
    other_good = GOOD_COMPONENTS[25][:-1]
    changes = {"cohort_seed": 1, "index": 4, "brain_age_effect": 0.6, "head_motion": 0.2, "site": 2}
    changes |= {"n_times": 500, "t_r": 0.8, "good_components": other_good, "dimension": 26}
    assert set(changes) == set(SCAN.__dataclass_fields__)
    for name, value in changes.items():
        changed = replace(SCAN, **{name: value})
        assert changed.stamp() != SCAN.stamp()
        assert not np.array_equal(changed.read(), SCAN.read())
    assert GENERATOR_VERSION in SCAN.stamp()
    assert all(isinstance(part, str | int | float) for part in SCAN.stamp())


def test_both_dimensions_show_the_same_sources() -> None:
    # The first component of 25 averages sources 1 to 4; at 100 two components average 1 and 2, and 3 and 4.
    cohorts = {d: SimulatedCohort(n_participants=2, good_components=good) for d, good in GOOD_COMPONENTS.items()}
    one, two = (
        {d: cohorts[d].find_scans([name], d)[name].read() for d in cohorts} for name in ("sim000001", "sim000002")
    )
    coarse = one[25][:, 0] - one[25][:, 0].mean()

    def explained_by(fine: np.ndarray) -> float:
        fine = fine - fine.mean(axis=0)
        fit = fine @ np.linalg.lstsq(fine, coarse, rcond=None)[0]
        return float(np.var(fit) / np.var(coarse))

    assert explained_by(one[100][:, [1, 2]]) > 0.6
    assert explained_by(two[100][:, [1, 2]]) < 0.1


def test_age_components_are_those_of_the_networks_that_age_acts_on() -> None:
    # 84 sources, 4 a component at 25: networks 1-4 are good components 1-7, networks 9-12 the last 7 of 21.
    assert age_components(25, GOOD_COMPONENTS[25]) == (1, 2, 3, 5, 6, 7, 8, *range(16, 23))
    # At 100, 29 components with 2 sources and 26 with 1: networks 1-4 are the first 14, networks 9-12 the last 27.
    last = (45, 46, 48, 49, 50, 52, 53, 57, 58, 60, 63, 64, 93)
    assert age_components(100, GOOD_COMPONENTS[100]) == (*range(2, 16), *range(30, 44), *last)


@pytest.mark.parametrize("dimension", [25, 100])
def test_brain_age_changes_the_age_components_and_no_others(dimension: int) -> None:
    young = replace(SCAN, dimension=dimension, good_components=GOOD_COMPONENTS[dimension], brain_age_effect=-1.5)
    changed = (young.read() != replace(young, brain_age_effect=1.5).read()).any(axis=0)
    assert tuple(np.flatnonzero(changed) + 1) == age_components(dimension, GOOD_COMPONENTS[dimension])


def test_signal_scales_the_effect_of_brain_age() -> None:
    effects = [
        SimulatedCohort(n_participants=5, signal=signal).find_scans(["sim000005"], 25)["sim000005"].brain_age_effect
        for signal in (0.0, 1.0, 3.0)
    ]
    participant = SimulatedCohort(n_participants=5).read_table().iloc[4]
    per_signal = (participant["age"] + participant["true_gap"] - 63.4) / 10
    assert effects == pytest.approx([0, per_signal, 3 * per_signal])


def test_motion_increases_correlations_between_components() -> None:
    still, moving = (
        connections(check_series(replace(SCAN, head_motion=motion).read(), Reading(25, N_TIMES)).series).mean()
        for motion in (0.05, 1.0)
    )
    assert moving > still + 0.3


@pytest.mark.parametrize("dimension", [25, pytest.param(100, marks=pytest.mark.more)])
def test_the_series_look_like_bold(dimension: int) -> None:
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort(n_participants=40, good_components=good, n_times=2 * N_TIMES)
    raw = [scan.read() for scan in cohort.find_scans(cohort.read_table()["participant_id"], dimension).values()]
    windows = [
        [check_series(scan[start:], Reading(dimension, N_TIMES)).series for start in (0, N_TIMES)] for scan in raw
    ]
    series = np.array(windows)[:, :, np.array(good) - 1]
    first = series[:, 0]
    power, frequency = np.abs(np.fft.rfft(first)) ** 2, np.fft.rfftfreq(N_TIMES, 0.735)
    slow = (frequency >= 0.01) & (frequency <= 0.1)
    connectome = connections(series)
    between = np.corrcoef(connectome[:, 0])[np.triu_indices(len(raw), 1)]
    found = {
        "lag-1 autocorrelation": np.median((first[..., 1:] * first[..., :-1]).mean(axis=-1)),
        "lag-5 autocorrelation": np.median((first[..., 5:] * first[..., :-5]).mean(axis=-1)),
        "share of power": np.median(power[..., slow].sum(axis=-1) / power[..., 1:].sum(axis=-1)),
        "SD of a connection": np.median(connectome[:, 0].std(axis=0)),
        "same participant": np.median([np.corrcoef(pair)[0, 1] for pair in connectome]),
        "different participants": np.median(between),
    }
    measured = dict(zip(found, (0.67, 0.28, 0.55, 0.13, 0.89, 0.68), strict=True))
    assert found == pytest.approx(measured, rel=1 / 3)
    assert found["same participant"] > found["different participants"] + 0.08
    assert abs(np.median((first**4).mean(axis=-1) - 3)) < 0.2


def test_connectivity_predicts_age() -> None:
    ridge, baseline = ridge_errors(*good_series(25, 400), penalty=100)
    assert ridge < 0.7 * baseline


def test_connectivity_of_a_null_cohort_does_not_predict_age() -> None:
    ridge, baseline = ridge_errors(*good_series(25, 400, signal=0), penalty=1000)
    assert ridge > 0.95 * baseline


@pytest.mark.slow
def test_a_ridge_on_connectivity_is_as_good_as_designed_and_better_at_100() -> None:
    from sklearn import linear_model

    errors = {}
    for dimension in (25, 100):
        age, series = good_series(dimension, 1500)
        features = np.arctanh(connections(series))
        features = (features - features.mean(axis=0)) / features.std(axis=0)
        folds = []
        for test in np.array_split(np.arange(1500), 5):
            train = np.setdiff1d(np.arange(1500), test)
            ridge = linear_model.RidgeCV(np.logspace(0, 5, 11)).fit(features[train], age[train])
            folds.append(np.abs(ridge.predict(features[test]) - age[test]).mean())
        errors[dimension] = np.mean(folds)
    assert 3.2 < errors[25] < 3.8
    assert errors[100] < errors[25] - 0.15
