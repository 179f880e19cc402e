"""The section on the order of time: how much worse predictions are from series in another one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from brainage.config.saved import is_shuffled
from brainage.data.time_order import ORDERS
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.findings import Findings
from brainage.reporting.about import About
from brainage.reporting.page import Section, Table
from brainage.reporting.text import estimate_in, integer, number, p_text, signed_interval
from brainage.system.reading import yaml_values

_NAMES = {
    "shuffled": "shuffled: one permutation for all channels",
    "shuffled_by_channel": "shuffled: a permutation for each channel",
    "reversed": "reversed",
    "phase_randomised": "phase-randomised: the same phases for all channels",
}


def time_order_section(findings: Findings, about: About) -> Section | None:
    """Return the errors on series in other orders of time.

    None where they were not measured, or are those of few more test participants than there are now: some withdrew.
    """
    table = () if about.time_order is None else about.time_order.to_dict("records")
    rows = {row["order"]: row for row in table if row["order"] in ORDERS}
    n_now = int((findings.predictions["split"] == "test").sum())
    if not rows or not all(may_describe(n_now, int(row["n"])) for row in rows.values()):
        return None
    cells = [
        [_NAMES[order], ", ".join(ORDERS[order].keeps), number(row["mae"]), _difference(row), p_text(row["p"]),
         number(row["change"])]
        for order, row in rows.items()
    ]  # fmt: skip
    header = (
        "time points", "what stays", "MAE (years)", "MAE minus that of unchanged series (95 % interval)", "p",
        "mean absolute change of predictions (years)",
    )  # fmt: skip
    n = integer(int(next(iter(rows.values()))["n"]))
    note = f"{n} test participants, each predicted again; paired bootstrap over participants."
    return Section("Order of time", _texts(rows, about), [Table(header, cells, note=note)])


def _texts(rows: dict[str, dict[Hashable, Any]], about: About) -> list[str]:
    found = [_sensitivity(rows["shuffled"])] if "shuffled" in rows else []
    if is_shuffled(yaml_values(about.config) or {}):
        return [
            *found,
            "The network was trained, validated and tested on shuffled time points, which the other orders changed "
            "again: it had no order to learn.",
        ]
    return [
        *found,
        "That a network is sensitive to the order does not mean that it uses the order: it was not trained on series "
        "in another one. Whether the order helps is the difference from a network that was trained on shuffled series "
        "(recipe.shuffle_time=true).",
    ]


def _sensitivity(row: dict[Hashable, Any]) -> str:
    verdict = "Sensitive" if row["low"] * row["high"] > 0 else "Not shown to be sensitive"
    return f"{verdict} to the order of time: MAE {_difference(row)} years with shuffled time points."


def _difference(row: dict[Hashable, Any]) -> str:
    return signed_interval(estimate_in(row, "mae_difference", "low", "high"))
