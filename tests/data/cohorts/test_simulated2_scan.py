"""The series of version 2 of the simulated cohort: reproducible, realistic, and measured at sites under motion."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from brainage.data.cohorts.simulated import GOOD_COMPONENTS
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.simulated2_brain import Person, Strengths, amplitude, connectivity
from brainage.data.cohorts.simulated2_scan import GENERATOR_VERSION, SimulatedScan2, component_positions
from brainage.data.cohorts.simulated_series import age_components
from brainage.data.store.checked import check_series
from brainage.data.store.reading import Reading
from tests.data.cohorts.measured import autocorrelations, connections

N_TIMES = 490
PERSON = Person(cohort_seed=0, index=3, visit=0, brain_age=0.5, sex=1, site=1, head_motion=0.1)
SCAN = SimulatedScan2(PERSON, Strengths(), 25, GOOD_COMPONENTS[25], N_TIMES, 0.735)


@pytest.mark.parametrize("dimension", [1, 25, 50, 100])
def test_every_dimension_gives_usable_series_even_if_all_components_are_good(dimension: int) -> None:
    cohort = SimulatedCohort2(n_participants=2)
    for scan in cohort.find_scans(["sim000001", "sim000002"], dimension).values():
        raw = scan.read()
        assert raw.shape == (N_TIMES, dimension)
        check_series(raw, Reading(dimension, N_TIMES))


def test_a_scan_reads_the_same_every_time_and_after_pickling() -> None:
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(SCAN)).read(), SCAN.read())


def test_a_longer_scan_starts_with_the_shorter_one() -> None:
    long = replace(SCAN, n_times=1200).read()
    for n_times in (N_TIMES, 523, 980):
        np.testing.assert_array_equal(replace(SCAN, n_times=n_times).read(), long[:n_times])


def test_every_number_changes_content_and_stamp() -> None:
    people = {"cohort_seed": 1, "index": 4, "visit": 1, "brain_age": 0.6, "sex": 0, "site": 2, "head_motion": 0.2}
    assert set(people) == set(Person.__dataclass_fields__)
    changed = [replace(SCAN, person=replace(PERSON, **{name: value})) for name, value in people.items()]
    changed += [replace(SCAN, strengths=replace(Strengths(), **{part: 0.0})) for part in vars(Strengths())]
    changed += [replace(SCAN, dimension=26), replace(SCAN, good_components=GOOD_COMPONENTS[25][:-1])]
    changed += [replace(SCAN, n_times=500), replace(SCAN, t_r=0.8)]
    for one in changed:
        assert one.stamp() != SCAN.stamp()
        assert not np.array_equal(one.read(), SCAN.read())
    assert GENERATOR_VERSION in SCAN.stamp()
    assert all(isinstance(part, str | int | float) for part in SCAN.stamp())


@pytest.mark.parametrize("dimension", [25, 100])
def test_brain_age_changes_the_age_components_and_no_others(dimension: int) -> None:
    young = replace(SCAN, dimension=dimension, good_components=GOOD_COMPONENTS[dimension])
    old = replace(young, person=replace(PERSON, brain_age=1.5))
    changed = (young.read() != old.read()).any(axis=0)
    assert tuple(np.flatnonzero(changed) + 1) == age_components(dimension, GOOD_COMPONENTS[dimension])


def test_without_signal_brain_age_changes_nothing() -> None:
    null = replace(SCAN, strengths=Strengths(0, 0, 0, 0))
    np.testing.assert_array_equal(null.read(), replace(null, person=replace(PERSON, brain_age=-1.5)).read())


def z_scored(scan: SimulatedScan2) -> np.ndarray:
    """Return the good components, an array of shape (n_good, n_times)."""
    checked = check_series(scan.read(), Reading(scan.dimension, scan.n_times))
    return checked.series[np.array(scan.good_components) - 1]


def several(scan: SimulatedScan2, n_people: int, **person: object) -> np.ndarray:
    people = [replace(scan.person, index=index, **person) for index in range(n_people)]
    return np.stack([z_scored(replace(scan, person=one)) for one in people])


@pytest.mark.parametrize("dimension", [25, pytest.param(100, marks=pytest.mark.more)])
def test_the_series_look_like_bold(dimension: int) -> None:
    good = GOOD_COMPONENTS[dimension]
    cohort = SimulatedCohort2(n_participants=40, good_components=good, n_times=2 * N_TIMES)
    scans = cohort.find_scans(cohort.read_table()["participant_id"], dimension).values()
    raw = [scan.read() for scan in scans]
    windows = [[check_series(one[start:], Reading(dimension, N_TIMES)).series for start in (0, N_TIMES)] for one in raw]
    series = np.array(windows)[:, :, np.array(good) - 1]
    first = series[:, 0]
    power, frequency = np.abs(np.fft.rfft(first)) ** 2, np.fft.rfftfreq(N_TIMES, 0.735)
    slow = (frequency >= 0.01) & (frequency <= 0.1)
    connectome = connections(series)
    between = np.corrcoef(connectome[:, 0])[np.triu_indices(len(raw), 1)]
    found = {
        "lag-1 autocorrelation": np.median(autocorrelations(first, 1)),
        "lag-5 autocorrelation": np.median(autocorrelations(first, 5)),
        "share of power": np.median(power[..., slow].sum(axis=-1) / power[..., 1:].sum(axis=-1)),
        "SD of a connection": np.median(connectome[:, 0].std(axis=0)),
        "same participant": np.median([np.corrcoef(pair)[0, 1] for pair in connectome]),
        "different participants": np.median(between),
    }
    measured = dict(zip(found, (0.67, 0.28, 0.55, 0.13, 0.89, 0.68), strict=True))
    assert found == pytest.approx(measured, rel=1 / 3)
    assert found["same participant"] > found["different participants"] + 0.08
    assert abs(np.median((first**4).mean(axis=-1) - 3)) < 0.2


def test_motion_weakens_long_connections_and_strengthens_short_ones() -> None:
    still, moving = (connections(several(SCAN, 30, head_motion=motion)).mean(axis=0) for motion in (0.05, 0.3))
    positions = component_positions(25, GOOD_COMPONENTS[25])
    rows, columns = np.triu_indices(len(positions), 1)
    distance = np.linalg.norm(positions[rows] - positions[columns], axis=1)
    change = moving - still
    short, long = distance < 30, (distance > 80) & (still > 0.1)
    assert short.sum() > 5 and long.sum() > 5
    assert change[short].mean() > 0.05
    assert change[long].mean() < -0.05


def test_sites_differ_in_gain_spectrum_and_mixing() -> None:
    lag_1 = [autocorrelations(several(SCAN, 20, site=site), 1).mean() for site in range(4)]
    assert np.diff(sorted(lag_1)).min() > 0.003
    people = [replace(PERSON, site=site) for site in range(4)]
    raw = [replace(SCAN, person=person).read().std(axis=0) for person in people]
    assert [np.log(one / raw[0]).mean() for one in raw] == pytest.approx([0, 0.15, -0.2, 0.25], abs=0.08)
    mixing = [connectivity(person, 1.0) for person in people]
    differences = [np.std(one - other) for one, other in itertools.combinations(mixing, 2)]
    assert min(differences) > 0.03


def test_amplitude_carries_brain_age_where_series_are_not_z_scored_and_parcels_have_means() -> None:
    only = replace(SCAN, strengths=Strengths(0, 0, 0, 1))
    carrying = np.array(age_components(25, GOOD_COMPONENTS[25])) - 1
    young, old = (replace(only, person=replace(PERSON, brain_age=age)).read() for age in (-1.0, 1.0))
    ratio = np.log(old.std(axis=0) / young.std(axis=0))
    assert (ratio[carrying] < -0.05).all()
    assert np.abs(np.delete(ratio, carrying)).max() < 1e-9
    assert np.abs(old.mean(axis=0) / old.std(axis=0)).max() < 0.3
    parcels = [replace(one, good_components=()) for one in (only, replace(only, person=replace(PERSON, brain_age=1.0)))]
    means, changes = zip(*[(one.read().mean(axis=0), one.read().std(axis=0)) for one in parcels], strict=True)
    assert means[0].min() > 100 and means[1] == pytest.approx(means[0], rel=0.01)
    assert (changes[0] / means[0]).max() < 0.05


def test_amplitude_is_much_the_same_at_a_second_visit() -> None:
    people = [replace(PERSON, index=index) for index in range(200)]
    first = np.array([amplitude(person, 1.0) for person in people])
    second = np.array([amplitude(replace(person, visit=1), 1.0) for person in people])
    assert 0.7 < np.corrcoef(first[:, 0], second[:, 0])[0, 1] < 0.97


def test_sex_changes_connections_and_spectra() -> None:
    # The same random numbers: what differs is sex.
    women, men = (several(SCAN, 20, sex=sex) for sex in (0, 1))
    change = (connections(men) - connections(women)).mean(axis=0)
    assert np.abs(change).max() > 0.015 and change.min() < -0.01
    assert autocorrelations(men, 1).mean() < autocorrelations(women, 1).mean() - 0.002


@pytest.mark.parametrize("t_r", [0.735, 2.0])
def test_a_participant_is_more_like_oneself_at_another_repetition_time_or_visit_than_like_others(t_r: float) -> None:
    first = connections(several(SCAN, 12))
    later = connections(several(replace(SCAN, t_r=t_r), 12, visit=1))
    alike = np.corrcoef(first, later)[:12, 12:]
    assert (np.diag(alike) > np.median(alike, axis=1)).all()
    assert alike[~np.eye(12, dtype=bool)].mean() + 0.05 < np.diag(alike).mean() < 0.95
