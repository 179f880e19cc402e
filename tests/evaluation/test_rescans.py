"""Second scans: which are compared, the change between them, and what is not shown of few participants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.gap import Correction
from brainage.evaluation.reliability import measure_reliability
from brainage.evaluation.rescans import HALVES, VISITS, Rescans, measure_rescans

LINEAR = Correction("linear", intercept=30.0, slope=-0.5, n=60, fitted_on="validation", people="x")
FIRST = np.linspace(50, 70, 20)
GAP, NOISE = np.tile([3.0, -3.0, 1.0, -1.0], 5), np.tile([0.5, 0.5, -0.5, -0.5, 0.0], 4)


def scans(n: int = 20, years: float = 2.0, **changes: Any) -> pd.DataFrame:
    """Return two scans of participants whose gaps change by 0.25 years a year, and noise; the later one is above."""
    ids = [f"p{number:02}" for number in range(n)]
    later = FIRST[:n] + years * np.tile([1.0, 1.5], 10)[:n]
    tables = [
        pd.DataFrame({"participant_id": ids, "scan": label, "age": age, "predicted_age": age + gap})
        for label, age, gap in (
            ("ses-2", later, GAP[:n] + 0.25 * (later - FIRST[:n]) + NOISE[:n]),
            ("ses-1", FIRST[:n], GAP[:n]),
        )
    ]
    return pd.concat(tables, ignore_index=True).assign(**changes)


def measured(table: pd.DataFrame, *fits: Correction, kind: str = VISITS) -> Rescans:
    found = measure_rescans(table, fits, kind=kind, n_resamples=200, seed=1)
    assert found is not None
    return found


def test_the_earlier_scan_comes_first_and_gaps_are_corrected_at_its_age() -> None:
    found = measured(scans(), LINEAR)
    table = scans().set_index("scan")
    first, second = (table.loc[label].reset_index() for label in ("ses-1", "ses-2"))
    gaps = [one["predicted_age"] - one["age"] for one in (first, second)]
    corrected = [gap - (30 - 0.5 * one["age"]) for gap, one in zip(gaps, (first, second), strict=True)]
    assert list(found.measures) == [
        measure_reliability("predicted_age", first["predicted_age"], second["predicted_age"]),
        measure_reliability("bag", *gaps),
        measure_reliability("bag_corrected", *corrected),
    ]
    change = found.change
    assert change is not None and (found.n, found.n_more, change.n) == (20, 0, 20)
    years = (second["age"] - first["age"]).to_numpy()
    assert change.years == pytest.approx((2.5, years.std(ddof=1)))
    # A line through 0: sum(years * change) / sum(years²), the change being a quarter of the years, and noise.
    assert change.per_year.value == pytest.approx(0.25 + (years @ NOISE) / (years @ years))
    assert change.per_year_corrected.value == pytest.approx((change.per_year.value or 0) + 0.5)
    assert change.with_time.value == pytest.approx(np.corrcoef(years, 0.25 * years + NOISE)[0, 1])
    assert change.older.value == 1.0
    assert [one.name for one in measured(scans()).measures] == ["predicted_age", "bag"]


def test_folds_have_corrections_of_their_own() -> None:
    fold = scans(fit=np.arange(40) % 2)
    found = measured(fold, LINEAR, Correction("linear", 0.0, 0.0, 60, "validation", "x"))
    gap = fold["predicted_age"] - fold["age"]
    corrected = (gap - np.where(fold["fit"] == 0, 30 - 0.5 * fold["age"], 0)).to_numpy()
    # Rows 0 to 19 are later scans.
    assert found.measures[2] == measure_reliability("bag_corrected", corrected[20:], corrected[:20])


def test_runs_of_a_session_are_averaged_and_participants_with_three_sessions_left_out() -> None:
    table = scans()
    moved = ((1, table["predicted_age"] + 2), (2, table["predicted_age"] - 2))
    runs = pd.concat([table.assign(scan=table["scan"] + f"_run-{n}", predicted_age=ages) for n, ages in moved])
    assert measured(runs).measures[0].error.value == pytest.approx(measured(table).measures[0].error.value)
    third = table[table["scan"] == "ses-2"].iloc[:4].assign(scan="ses-3")
    found = measured(pd.concat([table, third]))
    assert (found.n, found.n_more, found.measures[0].n) == (16, 4, 16)
    within = measured(table.assign(scan=table["scan"].str.replace("ses", "ses-1_run"), age=60.0))
    assert within.n == 20 and within.change is None


def test_few_are_counted_only_and_nobody_is_nothing() -> None:
    few = measured(scans(9), LINEAR)
    assert (few.n, few.measures, few.change) == (9, (), None) and few.table().empty
    assert measure_rescans(scans()[:20], [], kind=VISITS, n_resamples=100, seed=1) is None
    # Five participants whose ages differ would be described by the difference.
    some = scans()
    some.loc[(some["scan"] == "ses-2") & (some.index % 4 > 0), "age"] = FIRST[np.arange(20) % 4 > 0]
    assert measured(some).change is None
    unknown = measured(scans(age=np.nan), LINEAR)
    assert [one.name for one in unknown.measures] == ["predicted_age"]


def test_the_table_has_a_row_a_number() -> None:
    table = measured(scans(years=0.0), kind=HALVES).table()
    assert list(table) == ["scans", "of", "measure", "n", "value", "low", "high"]
    assert set(table["scans"]) == {"halves"} and list(table["measure"][:3]) == [
        "icc_agreement",
        "icc_consistency",
        "error",
    ]
    visits = measured(scans(), LINEAR).table()
    assert list(visits["measure"][-4:]) == [
        "change_per_year",
        "change_per_year",
        "r_change_with_time",
        "later_is_older",
    ]
    assert visits["value"].notna().all()
