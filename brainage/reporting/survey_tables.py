"""Tables of a survey: counts and names, never ids; few participants are counted, but not described."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from brainage.data.scale import sizes
from brainage.data.survey.cohort import Survey
from brainage.data.survey.plan import Plan
from brainage.data.survey.series import Series, choices_of_length
from brainage.data.t_r import t_r_counts
from brainage.evaluation.disclosure import may_describe, shown_counts
from brainage.evaluation.training_stats import spread_of

_MOST = 10


@dataclass(frozen=True)
class SurveyTable:
    """A table with its title."""

    title: str
    header: tuple[str, ...]
    rows: list[list[str]]


def survey_tables(survey: Survey) -> list[SurveyTable]:
    """Return the tables of a survey; those that have nothing to show are left out."""
    tables = [_participants(survey), _searched(survey), _ids(survey)]
    if survey.series is not None:
        tables += [_shapes(survey.series), _channels(survey.series), _missing(survey.series)]
        tables += [_lengths(survey), _scales(survey.series)]
    tables += [_unreadable(survey), _t_r(survey), _ages(survey), _sites(survey)]
    return [table for table in tables if table.rows]


def plan_table(plan: Plan) -> SurveyTable:
    """Return what is proposed."""
    rows = [
        ["modality", f"{plan.modality}, {plan.n_channels} channels, windows of {plan.n_times} time points"],
        ["participants kept", _share(plan.n_kept, plan.n_scanned)],
    ]
    if "scans" in plan.cohort:
        rows.append(["cohort.scans", f"{plan.cohort['scans']}, of participants with several"])
    if "include" in plan.cohort:
        rows.append(["cohort.include", plan.cohort["include"]])
    if plan.values.get("missing") == "zero":
        rows.append(["missing channels", "zero (modality.missing), because many participants lack some"])
    if plan.limit is not None:
        rows.append(["cohort.max_excluded_fraction", f"{plan.limit:g}, because more are excluded than it allows"])
    if plan.is_new and plan.values["t_r"] is None:
        rows.append(["modality.t_r", "null: repetition times are unknown, or several"])
    return SurveyTable("Proposal", ("", ""), rows)


def _share(n: int, n_all: int) -> str:
    return f"{n:,} of {n_all:,} ({n / n_all:.1%})" if n_all else "0"


def _participants(survey: Survey) -> SurveyTable:
    found = survey.found
    n_table = 0 if found.table is None else len(found.table)
    n_aged = 0 if found.table is None else int(found.table["age"].notna().sum())
    rows = [
        ["in the table", f"{n_table:,}"],
        ["in the table, with an age", f"{n_aged:,}"],
        ["with a file", f"{len(found.scans):,}"],
        ["with both", f"{len(survey.both):,}"],
        ["with a file and an age", f"{len(survey.aged):,}"],
        ["with a file, not in the table", f"{len(found.scans) - len(survey.both):,}"],
    ]
    return SurveyTable("Participants", ("", "participants"), rows)


def _searched(survey: Survey) -> SurveyTable:
    patterns = survey.found.patterns
    if patterns:
        rows = [
            [one.pattern, f"{one.n_participants:,}", "several" if one.has_several else "one"]
            for one in patterns[:_MOST]
        ]
        return SurveyTable(
            "Files; cohort.pattern chooses, the first is proposed", ("pattern", "participants", "files of one"), rows
        )
    counts = survey.found.counts if len(survey.found.counts) > 1 else {}
    rows = [[name, f"{count:,}"] for name, count in counts.items()]
    return SurveyTable("Files; modality=NAME chooses", ("modality", "participants"), rows)


def _ids(survey: Survey) -> SurveyTable:
    rows = [[what, f"{count:,}"] for what, count in survey.near_matches.items()]
    return SurveyTable(
        "Ids of the table without a file, but with one under an id that differs in", ("", "participants"), rows
    )


def _shapes(series: Series) -> SurveyTable:
    rows = [
        [f"{channels:,}", f"{len(lengths):,}", f"{min(lengths):,}", f"{max(lengths):,}", f"{len(set(lengths)):,}"]
        for channels, lengths in series.shapes()[:_MOST]
    ]
    what = "rows are channels" if series.orientation.rows_are_channels else "rows are time points"
    header = ("channels", "participants", "time points from", "to", "different lengths")
    return SurveyTable(f"Series ({what}: {series.orientation.reason})", header, rows)


def _channels(series: Series) -> SurveyTable:
    kinds = Counter(series.kinds.values())
    names = "no names" if series.names is None else f"{len(series.names)} names"
    if series.names is not None and series.may_show_names:
        names += f", {series.names[0]} to {series.names[-1]}"
    rows = [[f"as most files: {series.n_channels} channels, {names}", f"{kinds.pop('usable', 0):,}"]]
    rows += [[_KINDS.get(kind, kind), f"{count:,}"] for kind, count in kinds.most_common()]
    for other, count in series.other_names()[:_MOST]:
        new = [name for name in other if name not in (series.names or ())]
        rows.append([f"  {len(new):,} of {len(other):,} are others, such as {new[0]}", f"{count:,}"])
    return SurveyTable("Channels", ("", "participants"), rows)


_KINDS = {
    "transposed": "seem transposed: as many rows as others have columns",
    "names in another order": "the same names in another order (are put in order)",
    "other names": "other names (are excluded)",
    "without names": "without names (are excluded)",
    "with names": "with names (are excluded)",
    "another number of channels": "another number of channels (are excluded)",
}


def _missing(series: Series) -> SurveyTable:
    found = series.missing_channels()
    rows = [
        [label, *(f"{counts.get(kind, 0):,}" for kind in ("constant", "empty", "partial"))] for label, counts in found
    ]
    n_any = sum(series.channels(one).n_missing > 0 for one in series.matching.values())
    title = f"Missing channels: {len(found):,} channels, in {n_any:,} participants"
    return SurveyTable(title, ("channel", "constant", "all n/a", "some n/a"), rows[:_MOST])


def _lengths(survey: Survey) -> SurveyTable:
    lengths = survey.lengths()
    rows = [[f"{length:,}", _share(n, len(lengths))] for length, n in choices_of_length(lengths)] if lengths else []
    return SurveyTable("Choices of modality.n_times", ("time points", "participants kept"), rows)


def _scales(series: Series) -> SurveyTable:
    channels = [series.channels(one) for one in series.matching.values()]
    n_percent = sum(not one.no_percent for one in channels)
    unsuited = "" if n_percent == len(channels) else "means are near 0 in the others"
    rows = [["zscore", f"{len(channels):,}", ""], ["percent", f"{n_percent:,}", unsuited]]
    mean, sd = (median(getattr(one, name) for one in channels) for name in ("mean", "sd"))
    numbers = f"channels have {sizes(mean, sd)} (medians)"
    rows.append(["none", f"{len(channels):,}", numbers if may_describe(len(channels)) else ""])
    return SurveyTable("Choices of modality.scale", ("scale", "participants", ""), rows)


def _unreadable(survey: Survey) -> SurveyTable:
    rows = [[reason, f"{count:,}"] for reason, count in survey.unreadable.items()]
    return SurveyTable("Files that cannot be read", ("reason", "participants"), rows)


def _t_r(survey: Survey) -> SurveyTable:
    counts = shown_counts(t_r_counts(survey.t_r))
    rows = [[name if name in ("unknown", "other") else f"{name} s", f"{count:,}"] for name, count in counts.items()]
    return SurveyTable("Repetition time", ("", "participants"), rows)


def _ages(survey: Survey) -> SurveyTable:
    table = survey.found.table
    ages = [] if table is None else [age for age in table["age"] if not math.isnan(age)]
    if not may_describe(len(ages)):
        return SurveyTable("Ages", (), [])
    spread = spread_of(ages)
    middle = spread.range_text or "fewer than 50 participants"
    rows = [["mean ± SD", f"{spread.mean:.1f} ± {spread.sd:.1f} years"], ["5th to 95th percentile", middle]]
    return SurveyTable("Ages", ("", ""), rows)


def _sites(survey: Survey) -> SurveyTable:
    table = survey.found.table
    if table is None or "site" not in table:
        return SurveyTable("Sites", (), [])
    counts = table.loc[table["participant_id"].isin(survey.both), "site"].fillna("unknown").astype(str).value_counts()
    shown = shown_counts({str(site): int(n) for site, n in counts.items()})
    return SurveyTable(
        "Sites", ("site", "participants with a file"), [[s, f"{n:,}"] for s, n in _first(list(shown.items()))]
    )


def _first(pairs: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    yield from pairs[:30]
    if len(pairs) > 30:
        yield f"{len(pairs) - 30} more", sum(n for _, n in pairs[30:])
