"""The section on the order of time."""

from __future__ import annotations

import pandas as pd
import pytest

from brainage.data.time_order import ORDERS
from brainage.evaluation.findings import Findings
from brainage.evaluation.time_order import COLUMNS
from brainage.reporting.about import About
from brainage.reporting.time_order_section import time_order_section


def table(low: float = 0.21, n: int = 30) -> pd.DataFrame:
    rows = [[order, n, 4.004, 0.42, low, 0.63, 0.0005, 0.9] for order in (*ORDERS, "of a later version")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.mark.parametrize(("low", "verdict"), [(0.21, "Sensitive"), (-0.21, "Not shown to be sensitive")])
def test_the_first_sentence_is_the_difference_with_its_interval(findings: Findings, low: float, verdict: str) -> None:
    section = time_order_section(findings, About("Title", (), time_order=table(low)))
    assert section is not None
    first, second = section.texts
    assert first == (
        f"{verdict} to the order of time: MAE +0.42 ({low:+.2f} to +0.63) years with shuffled time points. Shuffling "
        f"also removes the spectra; with random phases, which keep them: MAE +0.42 ({low:+.2f} to +0.63) years."
    )
    assert second.startswith("That a network is sensitive to the order does not mean that it uses the order")
    (found,) = section.tables
    assert [row[2:] for row in found.rows] == [["4.00", f"+0.42 ({low:+.2f} to +0.63)", "0.90"]] * 4
    assert found.rows[3][1] == "connectivity, spectra, lagged correlations"
    assert found.note.startswith("30 test participants")


def test_a_network_without_an_order_to_learn_is_said_to_be_one(findings: Findings) -> None:
    section = time_order_section(findings, About("Title", (), "recipe: {shuffle_time: true}", time_order=table()))
    assert section is not None and "it had no order to learn" in section.texts[1]


def test_without_the_table_there_is_no_section(findings: Findings) -> None:
    assert time_order_section(findings, About("Title", ())) is None
    assert time_order_section(findings, About("Title", (), time_order=table()[:0])) is None


def test_the_errors_of_few_participants_who_withdrew_cannot_be_computed(findings: Findings) -> None:
    shown = [n for n in range(20, 50) if time_order_section(findings, About("", (), time_order=table(n=n)))]
    assert shown == [30, *range(40, 50)]  # 30 are in the test set now
