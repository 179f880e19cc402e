"""The series of version 2 of the simulated cohort: reproducible, realistic, and measured at sites under motion."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from brainage.data.cohorts.simulated import GOOD_COMPONENTS
from brainage.data.cohorts.simulated2 import SimulatedCohort2
from brainage.data.cohorts.simulated2_brain import Person, Strengths
from brainage.data.cohorts.simulated2_scan import GENERATOR_VERSION, SimulatedScan2
from brainage.data.cohorts.simulated_series import age_components
from brainage.data.store.checked import check_series
from brainage.data.store.reading import Reading

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
