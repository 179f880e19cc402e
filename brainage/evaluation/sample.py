"""The sample by part of the split, as the first table of a paper has it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.groups import levels_of
from brainage.evaluation.shown_values import described_groups, middle_range

_COUNTED = ("sex", "site")


@dataclass(frozen=True)
class Sample:
    """Participants of one part of the split.

    Parameters
    ----------
    n : int
        Participants.
    age_mean, age_sd : float or None
        In years; the SD is the sample's (n - 1). None for fewer than ten.
    age_p5, age_p95 : float or None
        5th and 95th percentile of age, in years; None for fewer than 50.
    counts : dict of str to dict of str to int
        Participants by level of ``sex`` and ``site``; levels that may not be counted are missing.
    motion_mean, motion_sd : float or None
        Head motion, in millimetres; None where it is unknown.
    """

    n: int
    age_mean: float | None = None
    age_sd: float | None = None
    age_p5: float | None = None
    age_p95: float | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    motion_mean: float | None = None
    motion_sd: float | None = None


def sample_by_part(table: pd.DataFrame, analysed: pd.DataFrame) -> dict[str, Sample]:
    """Describe the participants of each part; all of them as ``all`` where there are no parts.

    Parameters
    ----------
    table : DataFrame
        One row per participant: ``participant_id``, ``split``, ``age``, and where known ``sex``, ``site`` and
        ``head_motion``.
    analysed : DataFrame
        The rows that findings describe together: their parts must not be the difference from those.
    """
    parts = {str(part): group for part, group in table.groupby(table["split"].fillna("all"), sort=False)}
    named = analysed["split"].fillna("all")
    within = [part for part in parts if named.eq(part).any()]
    together = described_groups([named.eq(part).to_numpy() for part in within])
    shown = {part: may_describe(len(group)) for part, group in parts.items()} | dict(zip(within, together, strict=True))
    hidden = {part: _hidden_levels(group, shown[part]) for part, group in parts.items()}
    for part in within:  # a level's total over these parts is described
        hidden[part] = set().union(*(hidden[other] for other in within))
    return {
        part: _described(group, hidden[part]) if shown[part] else Sample(len(group)) for part, group in parts.items()
    }


def _hidden_levels(group: pd.DataFrame, is_shown: bool) -> set[tuple[str, str]]:
    """Return the levels of sex and site that may not be counted in a part."""
    found = set()
    for name in _COUNTED:
        levels = levels_of(group, name)
        counted = described_groups([*levels.values()])
        found |= {(name, level) for level, one in zip(levels, counted, strict=True) if not (one and is_shown)}
    return found


def _described(group: pd.DataFrame, hidden: set[tuple[str, str]]) -> Sample:
    age = group["age"].to_numpy(float)
    low, high = middle_range(age) or (None, None)
    counts = {
        name: {level: int(mask.sum()) for level, mask in levels_of(group, name).items() if (name, level) not in hidden}
        for name in _COUNTED
    }
    motion = group["head_motion"].dropna() if "head_motion" in group else group["age"].iloc[:0]
    moved = may_describe(len(motion), len(group))
    return Sample(
        len(group),
        float(age.mean()),
        float(age.std(ddof=1)),
        low,
        high,
        {name: known for name, known in counts.items() if known},
        float(motion.mean()) if moved else None,
        float(motion.std()) if moved else None,
    )
