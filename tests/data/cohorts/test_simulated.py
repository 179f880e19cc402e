"""The participants of the simulated cohort."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, PHENOTYPE_CAUSES, SITES, SimulatedCohort
from brainage.data.cohorts.simulated_series import GENERATOR_VERSION


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    return SimulatedCohort(n_participants=20_000).read_table()


def correlation(table: pd.DataFrame, one: str, other: str) -> float:
    return float(table[one].corr(table[other]))


def partial_correlation(table: pd.DataFrame, one: str, other: str) -> float:
    """Correlate residuals after age and log motion."""
    table = table.dropna()
    held = np.column_stack([np.ones(len(table)), table["age"], np.log(table["head_motion"])])
    rest = [table[name] - held @ np.linalg.lstsq(held, table[name], rcond=None)[0] for name in (one, other)]
    return float(np.corrcoef(rest)[0, 1])


def test_ages_have_the_published_distribution(many: pd.DataFrame) -> None:
    assert many["age"].mean() == pytest.approx(63.4, abs=0.2)
    assert many["age"].std() == pytest.approx(7.65, abs=0.1)
    assert many["age"].between(46, 82).all()
    assert many["true_gap"].mean() == pytest.approx(0, abs=0.1)
    assert many["true_gap"].std() == pytest.approx(4, abs=0.1)
    assert abs(correlation(many, "age", "true_gap")) < 0.03


def test_the_table_has_the_standard_columns_and_types(many: pd.DataFrame) -> None:
    standard = ["participant_id", "age", "sex", "site", "head_motion"]
    assert list(many.columns) == [*standard, *PHENOTYPE_CAUSES, "true_gap"]
    assert many["participant_id"].iloc[[0, 9, 19_999]].tolist() == ["sim000001", "sim000010", "sim020000"]
    assert many["participant_id"].is_monotonic_increasing
    assert many.index.tolist() == list(range(20_000))
    assert set(many["sex"]) == {0, 1}
    assert set(many["site"]) == set(SITES)
    assert many["head_motion"].median() == pytest.approx(0.12, abs=0.005)


def test_head_motion_and_site_correlate_weakly_with_age(many: pd.DataFrame) -> None:
    assert 0.13 < correlation(many, "age", "head_motion") < 0.22
    by_site = many.groupby("site")["age"].mean()
    assert 1 < by_site.max() - by_site.min() < 6


def test_a_null_cohort_has_motion_and_site_independent_of_age() -> None:
    null = SimulatedCohort(n_participants=20_000, signal=0).read_table()
    assert abs(correlation(null, "age", "head_motion")) < 0.03
    by_site = null.groupby("site")["age"].mean()
    assert by_site.max() - by_site.min() < 0.6


def test_a_null_cohort_has_the_same_ages_and_gaps(many: pd.DataFrame) -> None:
    null = SimulatedCohort(n_participants=50, signal=0).read_table()
    pd.testing.assert_frame_equal(null[["age", "true_gap"]], many[["age", "true_gap"]].head(50))


@pytest.mark.parametrize(("phenotype", "cause"), PHENOTYPE_CAUSES.items())
def test_each_phenotype_correlates_with_its_cause(many: pd.DataFrame, phenotype: str, cause: str | None) -> None:
    if cause is None:
        assert all(abs(correlation(many, phenotype, name)) < 0.03 for name in ("age", "head_motion", "true_gap"))
    else:
        assert abs(correlation(many, phenotype, cause)) > 0.35


@pytest.mark.parametrize("phenotype", PHENOTYPE_CAUSES)
def test_only_the_phenotype_of_the_gap_correlates_with_it_adjusting_for_age_and_motion(
    many: pd.DataFrame, phenotype: str
) -> None:
    found = abs(partial_correlation(many, phenotype, "true_gap"))
    assert found > 0.4 if phenotype == "processing_speed" else found < 0.03


def test_only_restlessness_has_missing_values(many: pd.DataFrame) -> None:
    missing = many.isna().mean()
    assert missing.pop("restlessness") == pytest.approx(0.03, abs=0.005)
    assert (missing == 0).all()


def test_a_participant_does_not_depend_on_the_number_of_participants(many: pd.DataFrame) -> None:
    for n_participants in (1, 1023, 1025):
        few = SimulatedCohort(n_participants=n_participants).read_table()
        pd.testing.assert_frame_equal(few, many.head(n_participants))


def test_another_seed_gives_other_participants(many: pd.DataFrame) -> None:
    other = SimulatedCohort(n_participants=100, seed=1).read_table()
    assert (other["age"] != many["age"].head(100)).mean() > 0.9


def test_scans_are_in_the_requested_order_and_unknown_ids_have_none() -> None:
    wanted = ["sim000007", "sim000002", "sim000011", "sim2", "9000001"]
    assert list(SimulatedCohort(n_participants=10).find_scans(wanted, 25)) == ["sim000007", "sim000002"]


@pytest.mark.parametrize(
    ("dimension", "starts", "sizes"),
    [
        (25, [7.1913, -25.8397, -19.7079], [27.0104, 24.7389, 29.2531]),
        (100, [-16.8341, -33.9654, 14.1363], [28.8945, 28.601, 29.6119]),
    ],
)
def test_the_participants_of_version_1_are_frozen(dimension: int, starts: list[float], sizes: list[float]) -> None:
    # Stored results are of these participants: a changed generator needs another `cohort.version`.
    assert GENERATOR_VERSION == 1
    cohort = SimulatedCohort(n_participants=3, seed=0)
    table = cohort.read_table()
    assert table["age"].tolist() == [70.84, 74.22, 62.61]
    assert table["true_gap"].tolist() == [0.274, 2.082, 3.172]
    scans = [scan.read() for scan in cohort.find_scans(table["participant_id"], dimension).values()]
    assert [scan[0, 0] for scan in scans] == pytest.approx(starts, abs=1e-3)
    assert [np.abs(scan).mean() for scan in scans] == pytest.approx(sizes, abs=1e-3)


def test_the_table_of_version_1_is_the_one_before_there_was_a_version_2(many: pd.DataFrame) -> None:
    found = hashlib.sha256(many.head(1500).to_csv().encode()).hexdigest()
    assert found[:32] == "0b5cfc5e8ac64c93773bf12aeac1da71"


@pytest.mark.parametrize(
    ("dimension", "before"),
    [(25, [-7420.237250, -12276.266899, 2865.332431]), (100, [6259.555263, -1241.480581, -3083.243359])],
)
def test_the_series_of_version_1_are_those_before_there_was_a_version_2(dimension: int, before: list[float]) -> None:
    # A sum of all numbers with different weights: a digest of bytes would differ with the library of linear algebra.
    cohort = SimulatedCohort(n_participants=1500, good_components=GOOD_COMPONENTS[dimension])
    scans = cohort.find_scans(["sim000001", "sim000701", "sim001500"], dimension).values()
    series = [scan.read() for scan in scans]
    found = [float((one * np.cos(np.arange(one.size)).reshape(one.shape)).sum()) for one in series]
    assert found == pytest.approx(before, abs=0.01)
