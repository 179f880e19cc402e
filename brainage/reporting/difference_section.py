"""The section of differences between groups of a page of findings."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from brainage.evaluation.findings import Findings
from brainage.evaluation.gap import rows_of
from brainage.evaluation.group_difference import GroupDifferences
from brainage.evaluation.variables import is_group
from brainage.reporting.about import About
from brainage.reporting.densities import CURVES, GAPS, curve, drawable
from brainage.reporting.figure import BLUE, GREEN, GREY, ORANGE, RED, Figure, draw
from brainage.reporting.page import Section, Table, some
from brainage.reporting.text import estimate_in, p_phrase, p_text, signed_interval, with_interval

_COLOURS = (ORANGE, GREEN, RED, GREY)
HEADER = ("group", "years (95 % interval)", "p", "p, permuted", "Hedges' g", "N / reference")


def group_rows(found: GroupDifferences) -> list[list[str]]:
    """Return one row per group and gap: the difference in years, p, Hedges' g, and participants."""
    return [
        [
            f"{row['group']}, {GAPS[row['gap']][0]}",
            _difference(row),
            p_text(row["p"]),
            p_text(row["p_permutation"]),
            with_interval(estimate_in(row, "g", "g_low", "g_high")),
            f"{row['n']:,} / {row['n_reference']:,}",
        ]
        for row in found.table.to_dict("records")
    ]


def _difference(row: dict[object, object]) -> str:
    return signed_interval(estimate_in(row, "difference", "low", "high"))


def difference_lead(found: GroupDifferences | None) -> list[str]:
    """Return a summary sentence for each group, on the corrected gap where it is known."""
    if found is None:
        return []
    last = found.table.drop_duplicates("group", keep="last").to_dict("records")
    return [
        f"{found.settings.column}, {row['group']} minus {found.settings.reference}: {GAPS[row['gap']][0]} "
        f"{_difference(row)} years, {p_phrase(row['p'])}, adjusted for covariates."
        for row in last
    ]


def difference_section(findings: Findings, about: About) -> Section | None:
    """Return the differences between groups; None where no groups are compared."""
    found = findings.differences
    if found is None:
        return None
    column, reference = found.settings.column, found.settings.reference
    if found.table.empty:
        return Section("Differences between groups", found.notes)
    covariates = ", ".join(dict.fromkeys(name for row in found.table["covariates"] for name in row.split()))
    n_incomplete = found.table["n_incomplete"].max()
    texts = [
        f"Mean gap of each group of {column} minus that of {reference}, in participants on whom nothing was fitted, "
        f"adjusted for {covariates.replace('age^2', 'age²')}. Standard errors are heteroscedasticity-"
        "consistent (HC3; MacKinnon and White 1985, doi 10.1016/0304-4076(85)90158-7), because groups differ in "
        "spread; intervals and p are by the t distribution. The p beside it is by permutation of the residuals of the "
        f"covariates (Freedman and Lane 1983, doi 10.1080/07350015.1983.10509354; {found.settings.n_permutations:,} "
        "permutations of the HC3 t). Hedges' g is the adjusted difference in residual SDs (Hedges 1981, doi "
        "10.3102/10769986006002107).",
        "A linear correction by one fit changes the gap by a multiple of age, which is a covariate: then gap and "
        "corrected gap have the same difference. p are not corrected for the number of groups. A difference is not "
        "the group's ageing: groups that were recruited differently differ in more than the diagnosis.",
        *found.notes,
    ]
    if n_incomplete:
        texts.append(f"Up to {n_incomplete:,} participants without sex or head motion are not compared.")
    table = Table(HEADER, group_rows(found), title=f"{column}: minus {reference}")
    return Section("Differences between groups", texts, [table], some([_densities(findings, found, about.points)]))


def _densities(findings: Findings, found: GroupDifferences, points: str) -> Figure | None:
    """Draw the densities of the gaps of the reference group and of those compared."""
    rows = rows_of(findings.rows, "test")
    gap = str(found.table["gap"].iloc[-1])
    names = [found.settings.reference, *found.table["group"].unique()]
    known = rows[rows[gap].notna()]
    values = {name: known.loc[is_group(known[found.settings.column], name), gap].to_numpy(float) for name in names}
    drawn = {name: gaps for name, gaps in values.items() if drawable(len(gaps), points) and gaps.std() > 0}
    if len(drawn) < 2:
        return None

    def plot(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for place, (name, gaps) in enumerate(drawn.items()):
            colour = BLUE if name == found.settings.reference else _COLOURS[(place - 1) % len(_COLOURS)]
            curve(axes, gaps, points, color=colour, label=f"{name} (n = {len(gaps):,})")
        axes.axvline(0, color=GREY, linestyle="--")
        axes.set(xlabel=f"{GAPS[gap][0]} (years)", ylabel="density")
        axes.set_ylim(bottom=0)
        axes.legend()

    alt = f"Densities of the {GAPS[gap][0]} of {len(drawn)} groups."
    return draw("group-gaps", alt, plot, size=(6, 3.4), caption=f"Not adjusted for covariates. {CURVES[points]}")
