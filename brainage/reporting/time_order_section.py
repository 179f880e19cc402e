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
from brainage.reporting.text import estimate_in, integer, number, signed_interval
from brainage.system.reading import yaml_values

_NAMES = {
    "shuffled": "shuffled, all channels alike",
    "shuffled_by_channel": "shuffled, each channel on its own",
    "reversed": "reversed",
    "phase_randomised": "phase-randomised, all channels alike",
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
        [_NAMES[order], ", ".join(ORDERS[order].keeps), number(row["mae"]), _difference(row), number(row["change"])]
        for order, row in rows.items()
    ]
    difference, change = "MAE minus that of unchanged series (95 % interval)", "mean absolute change of predictions"
    header = ("time points", "what stays", "MAE (years)", difference, change)
    n = integer(int(next(iter(rows.values()))["n"]))
    note = f"{n} test participants, each predicted again; paired bootstrap over participants."
    return Section("Order of time", _texts(rows, about), [Table(header, cells, note=note)])


def _texts(rows: dict[str, dict[Hashable, Any]], about: About) -> list[str]:
    found = [_sensitivity(rows)] if rows.keys() == ORDERS.keys() else []
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


def _sensitivity(rows: dict[str, dict[Hashable, Any]]) -> str:
    shuffled = rows["shuffled"]
    verdict = "Sensitive" if shuffled["low"] * shuffled["high"] > 0 else "Not shown to be sensitive"
    return (
        f"{verdict} to the order of time: MAE {_difference(shuffled)} years with shuffled time points. Shuffling also "
        f"removes the spectra; with random phases, which keep them: MAE {_difference(rows['phase_randomised'])} years."
    )


def _difference(row: dict[Hashable, Any]) -> str:
    return signed_interval(estimate_in(row, "mae_difference", "low", "high"))
