"""What a page of findings says besides them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from brainage.evaluation.folds import FoldResults
from brainage.evaluation.repeats import Repeats
from brainage.evaluation.rescans import Rescans
from brainage.reporting.page import Section


@dataclass(frozen=True)
class About:
    """Everything in a report besides the findings.

    `facts` are names and values of what was run, `config` the resolved config as YAML, `curves` the table
    ``metrics.csv``, `exclusions` the numbers of excluded participants by reason (None where unknown), and `points` is
    ``report.points``. `augmented` says whether training batches were augmented. `key_facts` are at the top of the page.
    `folds` are those that were pooled, `repeats` several draws of them. `summary` is ``summary.json``, as
    `shown_summary` returns it. `time_order` is the table ``time_order.csv``.
    `first` precedes all other sections. `rescans` are second scans.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    config: str = ""
    curves: pd.DataFrame | None = None
    best_epoch: int | None = None
    exclusions: Mapping[str, int] | None = None
    points: str = "none"
    augmented: bool = False
    key_facts: Sequence[tuple[str, str]] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    is_baseline: bool = False
    folds: FoldResults | None = None
    repeats: Repeats | None = None
    time_order: pd.DataFrame | None = None
    first: Section | None = None
    rescans: Rescans | None = None

    @property
    def is_pooled(self) -> bool:
        """Whether predictions are of the folds of several runs."""
        return self.folds is not None or self.repeats is not None
