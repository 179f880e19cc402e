"""The participants of version 2 of the simulated cohort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brainage.data.cohorts.simulated import GOOD_COMPONENTS
from brainage.data.cohorts.simulated2 import SimulatedCohort2, both_visits
from brainage.data.cohorts.simulated2_people import GAP_CORRELATIONS, PHENOTYPE_CAUSES_2, SITES
from brainage.data.store.several import LabelledScan, SeveralScans


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    return SimulatedCohort2(n_participants=20_000).read_table()


def correlation(table: pd.DataFrame, one: str, other: str) -> float:
    return float(table[one].corr(table[other]))


def test_ages_have_the_published_distribution(many: pd.DataFrame) -> None:
    assert many["age"].mean() == pytest.approx(63.4, abs=0.2)
    assert many["age"].std() == pytest.approx(7.65, abs=0.1)
    assert many["age"].between(46, 82).all()


def test_the_gap_is_a_curve_over_age_and_spreads_with_it(many: pd.DataFrame) -> None:
    assert many["true_gap"].mean() == pytest.approx(0, abs=0.1)
    assert many["true_gap"].std() == pytest.approx(4, abs=0.1)
    by_age = many.groupby(pd.cut(many["age"], [46, 54, 60, 67, 73, 82]))["true_gap"]
    means, spreads = by_age.mean().to_numpy(), by_age.std().to_numpy()
    assert means.argmin() == 2 and means[0] > means[2] + 0.5 and means[4] > means[2] + 0.5
    assert (np.diff(spreads) > 0).all() and spreads[4] > 1.5 * spreads[0]
    assert abs(correlation(many, "age", "true_gap")) < 0.05


def test_participants_with_a_diagnosis_have_the_same_mean_gap_and_one_and_a_half_times_its_spread(
    many: pd.DataFrame,
) -> None:
    by_diagnosis = many.groupby("diagnosis")["true_gap"]
    assert by_diagnosis.mean()[1.0] == pytest.approx(by_diagnosis.mean()[0.0], abs=0.25)
    assert by_diagnosis.std()[1.0] / by_diagnosis.std()[0.0] == pytest.approx(1.5, abs=0.08)


@pytest.mark.parametrize(("name", "r"), GAP_CORRELATIONS.items())
def test_phenotypes_of_the_gap_have_their_correlation_with_it(many: pd.DataFrame, name: str, r: float) -> None:
    assert correlation(many, name, "true_gap") == pytest.approx(r, abs=0.02)
    assert sorted(map(abs, GAP_CORRELATIONS.values())) == [0.05, 0.1, 0.2]


@pytest.mark.parametrize("name", [name for name, cause in PHENOTYPE_CAUSES_2.items() if cause != "true_gap"])
def test_other_phenotypes_have_their_cause_and_no_correlation_with_the_gap(many: pd.DataFrame, name: str) -> None:
    assert abs(correlation(many, name, "true_gap")) < 0.025
    for cause in ("age", "head_motion"):
        least = 0.35 if PHENOTYPE_CAUSES_2[name] == cause else 0.0
        most = 1.0 if PHENOTYPE_CAUSES_2[name] is not None else 0.025
        assert least <= abs(correlation(many, name, cause)) < most


def test_one_site_has_younger_participants(many: pd.DataFrame) -> None:
    by_site = many.groupby("site")["age"]
    assert (by_site.size() / len(many)).between(0.15, 0.4).all()
    means = by_site.mean()[list(SITES)]
    assert means.iloc[-1] < means.iloc[:-1].min() - 4
    assert means.iloc[:-1].max() - means.iloc[:-1].min() < 2.5


def test_a_null_cohort_has_the_same_ages_and_gaps_and_motion_and_site_independent_of_age(many: pd.DataFrame) -> None:
    null = SimulatedCohort2(n_participants=20_000, signal=0).read_table()
    pd.testing.assert_frame_equal(null[["age", "true_gap"]], many[["age", "true_gap"]])
    assert abs(correlation(null, "age", "head_motion")) < 0.03 < correlation(many, "age", "head_motion")
    by_site = null.groupby("site")["age"].mean()
    assert by_site.max() - by_site.min() < 0.6


def test_a_participant_does_not_depend_on_the_number_of_participants_or_on_the_modality(many: pd.DataFrame) -> None:
    for n_participants in (1, 1023, 1025):
        few = SimulatedCohort2(n_participants=n_participants, t_r=2.0, n_times=40, good_components=(1, 2)).read_table()
        pd.testing.assert_frame_equal(few, many.head(n_participants))
    scans = [SimulatedCohort2(n_participants=n).find_scans(["sim000003"], 25)["sim000003"] for n in (3, 2000)]
    np.testing.assert_array_equal(scans[0].read(), scans[1].read())


def test_another_seed_gives_other_participants(many: pd.DataFrame) -> None:
    other = SimulatedCohort2(n_participants=100, seed=1).read_table()
    assert (other["age"] != many["age"].head(100)).mean() > 0.9


def test_scans_are_in_the_requested_order_and_unknown_ids_have_none() -> None:
    wanted = ["sim000007", "sim000002", "sim000011", "sim2", "9000001"]
    assert list(SimulatedCohort2(n_participants=10).find_scans(wanted, 25)) == ["sim000007", "sim000002"]


def test_sites_that_differ_have_their_own_repetition_times_and_scans_that_are_long_enough() -> None:
    cohort = SimulatedCohort2(n_participants=40, sites="different", good_components=GOOD_COMPONENTS[25])
    table = cohort.read_table()
    scans = list(cohort.find_scans(table["participant_id"], 25).values())
    acquired = {site: (scan.t_r, scan.n_times) for site, scan in zip(table["site"], scans, strict=True)}
    assert {site: t_r for site, (t_r, _) in acquired.items()} == {
        "Cheadle": 0.735, "Reading": 0.8, "Newcastle": 2.0, "Bristol": 1.5
    }  # fmt: skip
    assert len({n_times for _, n_times in acquired.values()}) == 4
    assert all(n_times >= 490 and (n_times - 1) * t_r >= 489 * 0.735 for t_r, n_times in acquired.values())
    assert scans[0].read().shape == (scans[0].n_times, 25)
    alike = replace(cohort, sites="alike")
    assert {(scan.t_r, scan.n_times) for scan in alike.find_scans(table["participant_id"], 25).values()} == {
        (0.735, 490)
    }


def test_three_in_ten_have_a_second_visit_some_years_later_with_their_gap_and_other_motion(many: pd.DataFrame) -> None:
    later = SimulatedCohort2(n_participants=20_000, visit="second").read_table()
    assert len(later) / len(many) == pytest.approx(0.3, abs=0.01)
    both = many.merge(later, on="participant_id", suffixes=("", "_later"))
    assert len(both) == len(later)
    assert (both["age_later"] - both["age"]).between(1.99, 3.51).all()
    assert (both["true_gap_later"] == both["true_gap"]).all()
    assert 0.55 < np.corrcoef(np.log(both["head_motion"]), np.log(both["head_motion_later"]))[0, 1] < 0.75


def test_both_visits_are_scans_of_a_participant_with_their_ages() -> None:
    first = SimulatedCohort2(n_participants=20)
    second = replace(first, visit="second")
    ids = [*first.read_table()["participant_id"], "sim999999"]
    found, later = both_visits(first).find_scans(ids, 25), second.find_scans(ids, 25)
    assert [*found] == ids[:-1]
    several = {one: scan for one, scan in found.items() if isinstance(scan, SeveralScans)}
    assert several.keys() == later.keys() and len(later) > 2
    ages = second.read_table().set_index("participant_id")["age"]
    for one, scan in several.items():
        assert scan.scans[1] == LabelledScan("visit-second", later[one], ages[one])
        assert scan.scans[0].scan == first.find_scans([one], 25)[one]


@pytest.mark.parametrize(
    ("dimension", "sums"),
    [(25, [-6267.846213, -698.897203, 387.206412]), (100, [-3972.573471, -868.484663, -1369.938256])],
)
def test_the_participants_of_version_2_are_frozen(dimension: int, sums: list[float]) -> None:
    # Stored results are of these participants: a changed generator needs another `cohort.version`.
    cohort = SimulatedCohort2(n_participants=3, good_components=GOOD_COMPONENTS[dimension])
    table = cohort.read_table()
    assert table["age"].tolist() == [76.51, 59.21, 59.73]
    assert table["true_gap"].tolist() == [2.49, 0.878, 2.295]
    assert table["site"].tolist() == ["Reading", "Newcastle", "Cheadle"]
    series = [scan.read() for scan in cohort.find_scans(table["participant_id"], dimension).values()]
    found = [float((one * np.cos(np.arange(one.size)).reshape(one.shape)).sum()) for one in series]
    assert found == pytest.approx(sums, abs=0.01)
