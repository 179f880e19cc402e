"""The section on what a network was adapted with, and its errors."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.evaluation.adaptation_errors import LABELS, Adapted, MethodError, Others
from brainage.reporting.page import Section, Table
from brainage.reporting.text import p_phrase, signed_interval, with_interval

HEADER = ("", "MAE (95 % interval)", "mean gap (95 % interval)")


def adaptation_section(found: Adapted, others: Others | None) -> Section:
    """Return the section."""
    text = (
        f"The last layer was changed with {found.n:,} controls of the new site ({LABELS[found.method]}): "
        f"{found.change}. The errors of each method are those of cross-validation on these controls: each is predicted "
        "by a fit to the others. Choose a method by these errors, not by those of the other participants."
    )
    note = "In years. An offset has one number, a line two; the last layer needs more controls."
    title = f"Cross-validation on {found.n:,} controls"
    tables = [Table(HEADER, method_rows(found), title, note)]
    if others is not None:
        n, difference = others.difference.n, others.difference
        note = (
            f"In years. Difference in MAE (95 % interval of a paired bootstrap): {signed_interval(difference.mae)}, "
            f"{p_phrase(difference.p)}; below 0, the adapted network is better."
        )
        rows = [_row("as it was", others.before), _row("adapted", others.after)]
        tables.append(Table(HEADER, rows, f"{n:,} other participants of known age", note))
    return Section("Adaptation", [text], tables)


def method_rows(found: Adapted) -> Sequence[Sequence[str]]:
    """Return one row per method: its name, MAE and mean gap."""
    return [
        _row(f"{LABELS[name]}{' (chosen)' if name == found.method else ''}", error)
        for name, error in found.errors.items()
    ]


def _row(name: str, error: MethodError) -> list[str]:
    return [name, with_interval(error.mae), signed_interval(error.mean_gap)]
