"""Table 1 of a paper: the sample by part of the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.sample import Sample
from brainage.reporting.page import Table
from brainage.reporting.text import PART_NAMES, mean_sd, middle

# The order of a paper's columns.
_ORDER = ("train", "val", "test")


def sample_table(sample: Mapping[str, Sample]) -> Table:
    """Return the table, one column per part."""
    parts = sorted(sample, key=lambda part: _ORDER.index(part) if part in _ORDER else len(_ORDER))

    rows: dict[str, Callable[[Sample], str]] = {
        "N": lambda part: f"{part.n:,}",
        "age (years), mean ± SD": lambda part: "-" if part.age_mean is None else mean_sd(part.age_mean, part.age_sd),
        "age, 5th to 95th percentile": lambda part: middle(part.age_p5, part.age_p95),
    }
    for name in ("sex", "site"):
        for level in sorted({level for part in sample.values() for level in part.counts.get(name, {})}):
            rows[f"{name}: {level}"] = partial(_count, name=name, level=level)
    if any(part.motion_mean is not None for part in sample.values()):
        rows["head motion (mm), mean ± SD"] = _motion
    note = (
        f"Groups of fewer than {MIN_SHOWN} participants, and those that would give them away, are not shown. The range "
        "of ages is that between percentiles, because the lowest and highest are single participants."
    )
    header = ("", *(PART_NAMES.get(part, part) for part in parts))
    cells = [[name, *(text(sample[part]) for part in parts)] for name, text in rows.items()]
    return Table(header, cells, title="Table 1. Participants by part of the split", note=note)


def _count(part: Sample, *, name: str, level: str) -> str:
    n = part.counts.get(name, {}).get(level)
    return "-" if n is None else f"{n:,} ({n / part.n:.0%})"


def _motion(part: Sample) -> str:
    if part.motion_mean is None or part.motion_sd is None:
        return "-"
    return f"{part.motion_mean:.3g} ± {part.motion_sd:.2g}"
