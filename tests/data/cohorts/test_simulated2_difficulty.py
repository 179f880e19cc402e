"""How well brain age can be predicted from version 2 of the simulated cohort, and from which part of the series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.data.cohorts.simulated import GOOD_COMPONENTS
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.simulated2_brain import Person, Strengths, dynamics
from brainage.data.cohorts.simulated2_scan import SimulatedScan2
from tests.data.cohorts.measured import (
    autocorrelations,
    band_powers,
    connections,
    fluctuations,
    largest_r,
    leads,
    ridge_r,
)

GOOD = GOOD_COMPONENTS[25]
T_R = 0.735


def measured(scans: list[SimulatedScan2]) -> tuple[np.ndarray, np.ndarray]:
    """Return z-scored good components, (n_scans, n_good, n_times), and log amplitudes, (n_scans, n_good)."""
    series, amplitudes = [], []
    for scan in scans:
        raw = scan.read()[:, np.array(GOOD) - 1].T
        spread = raw.std(axis=1, keepdims=True)
        series.append(((raw - raw.mean(axis=1, keepdims=True)) / spread).astype(np.float32))
        amplitudes.append(np.log(spread[:, 0]))
    return np.stack(series), np.stack(amplitudes)


def whole_cohort(n_participants: int, **settings: object) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    cohort = SimulatedCohort2(n_participants=n_participants, good_components=GOOD, **settings)  # type: ignore[arg-type]
    table = cohort.read_table()
    return table, *measured(list(cohort.find_scans(table["participant_id"], 25).values()))


def single_numbers(series: np.ndarray, amplitudes: np.ndarray) -> dict[str, np.ndarray]:
    lag_1 = autocorrelations(series, 1)
    return {
        "connection": connections(series),
        "band power": band_powers(series, T_R),
        "mean band power": band_powers(series, T_R).mean(axis=1),
        "lag-1 autocorrelation": lag_1,
        "mean lag-1 autocorrelation": lag_1.mean(axis=1),
        "amplitude": amplitudes,
        "mean amplitude": amplitudes.mean(axis=1),
    }


@pytest.mark.slow
def test_a_ridge_reaches_what_networks_reach_on_real_people_and_no_single_number_does() -> None:
    table, series, amplitudes = whole_cohort(5000)
    age = table["age"].to_numpy()
    assert 0.55 < ridge_r(np.arctanh(connections(series)), age) < 0.6
    numbers = single_numbers(series, amplitudes)
    assert {name: r for name, values in numbers.items() if (r := largest_r(values, age)) > 0.3} == {}


@pytest.mark.more
def test_difficulty_in_a_smaller_cohort() -> None:
    table, series, amplitudes = whole_cohort(500)
    age = table["age"].to_numpy()
    assert 0.3 < ridge_r(np.arctanh(connections(series)), age) < 0.6
    numbers = single_numbers(series, amplitudes)
    # A correlation of 500 people has a standard error of 0.045, and the largest of hundreds is chosen.
    assert {name: r for name, values in numbers.items() if (r := largest_r(values, age)) > 0.4} == {}


@pytest.mark.slow
def test_nothing_predicts_age_in_a_null_cohort() -> None:
    table, series, amplitudes = whole_cohort(500, signal=0.0)
    age = table["age"].to_numpy()
    features = (connections(series), band_powers(series, T_R), leads(series), fluctuations(series), amplitudes)
    assert max(ridge_r(one, age) for one in features) < 0.15


@pytest.mark.parametrize(
    ("part", "readable"),
    [
        pytest.param("connectivity", {"connectivity"}, marks=pytest.mark.slow),
        # Slower series have connections that differ more between windows.
        pytest.param("spectrum", {"spectrum", "fluctuations"}, marks=pytest.mark.slow),
        pytest.param("dynamics", {"leads", "fluctuations"}, marks=pytest.mark.more),
        pytest.param("amplitude", {"amplitude"}, marks=pytest.mark.slow),
    ],
)
def test_each_part_is_read_by_its_own_class_of_method(part: str, readable: set[str]) -> None:
    # Everyone at one site, with the same motion and sex, so that only the part differs with brain age.
    brain_age = np.random.default_rng(5).normal(scale=0.86, size=300)
    strengths = Strengths(**{one: 4 * (one == part) for one in vars(Strengths())})
    people = [Person(11, index, 0, float(age), 0, 0, 0.12) for index, age in enumerate(brain_age)]
    series, amplitudes = measured([SimulatedScan2(person, strengths, 25, GOOD, 490, T_R) for person in people])
    features = {
        "connectivity": np.arctanh(connections(series)),
        "spectrum": np.concatenate([band_powers(series, T_R).reshape(len(series), -1), autocorrelations(series, 1)], 1),
        "leads": leads(series),
        "fluctuations": fluctuations(series),
        "amplitude": amplitudes,
    }
    found = {name: ridge_r(values, brain_age) for name, values in features.items()}
    assert {name for name, r in found.items() if r > 0.3} == readable
    static = [found[name] for name in ("connectivity", "spectrum") if name != part]
    assert max(static) < 0.15


def test_states_last_longer_in_older_brains_and_are_equally_frequent() -> None:
    courses = {}
    for brain_age in (-1.0, 1.0):
        of_person = dynamics(Person(0, 1, 0, brain_age, 0, 0, 0.1), 1.0)
        signs = of_person.signs(np.random.default_rng(0), 200_000, T_R)
        courses[brain_age] = (signs[:, 1:] != signs[:, :-1]).any(axis=0).mean()
        # Networks 0, 2, 4 and 6 of those that age acts on are in different groups: their signs agree half of the time.
        assert np.abs(np.corrcoef(signs[[2, 4, 6]]) - np.eye(3)).max() < 0.05
        assert courses[brain_age] == pytest.approx(T_R / of_person.dwell, rel=0.1)
    assert courses[-1.0] > 2 * courses[1.0]


@pytest.mark.slow
def test_percent_signal_change_of_parcels_carries_age() -> None:
    cohort = SimulatedCohort2(n_participants=600, seed=3)
    table = cohort.read_table()
    series = [scan.read() for scan in cohort.find_scans(table["participant_id"], 50).values()]
    percent = np.log([one.std(axis=0) / one.mean(axis=0) for one in series])
    age = table["age"].to_numpy()
    assert largest_r(percent, age) < 0.3 and 0.2 < ridge_r(percent, age) < 0.4
