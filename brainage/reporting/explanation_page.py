"""The report of what a network looks at."""

from __future__ import annotations

from collections.abc import Sequence

from brainage.evaluation.intervals import Estimate
from brainage.explanation.effects import ALIKE, RankCorrelation
from brainage.explanation.summary import Explanation, Summary
from brainage.reporting import explanation_figures as figures
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.run_page import number, signed_interval, with_interval

Rows = tuple[Sequence[str], list[list[str]]]


def component_rows(found: Explanation) -> Rows:
    """Return header and rows of the components, those first that set predictions apart most."""
    header = ("component", *_header(found))
    rows = [
        [
            str(found.components[k]),
            *_cells(found.by_component["occlusion"][k]),
            *_cells(found.by_component["gradients"][k]),
        ]
        for k in found.order
    ]
    return header, rows


def check_rows(found: Explanation) -> Rows:
    """Return header and rows of both checks."""
    error, check = found.completeness, found.randomisation
    rows = [
        [
            f"completeness error of the gradients, {found.n_steps} steps",
            f"{error.mean:.4f} years, at most {error.highest:.4f}",
        ],
        [
            "  of the mean effect",
            "-" if error.relative is None else f"{error.relative:.2%} of {error.effect:.2f} years",
        ],
        [f"random weights ({check.n_draws} draws), components by occlusion", _likeness(check.occlusion)],
        ["  components by gradients", _likeness(check.gradients)],
        ["  maps of gradients", _likeness(check.maps)],
        ["  without their signs", _likeness(check.maps_absolute)],
        ["random weights give", {True: "the same maps", False: "other maps", None: "-"}[check.alike]],
    ]
    return ("", ""), rows


def explanation_page(found: Explanation, facts: Sequence[tuple[str, str]], *, title: str, points: str) -> Page:
    """Return the report.

    Parameters
    ----------
    found : Explanation
        What was found.
    facts : sequence of (str, str)
        What was explained: a name and a value each.
    title : str
        The page's.
    points : {"all", "none"}
        ``report.points``: whether single participants are drawn.
    """
    sections = [_components(found), _time(found)]
    if points == "all":
        sections.append(_participants(found))
    sections += [
        _checks(found),
        Section("What was explained", tables=[Table((), [*facts, *made_with()], text=True)]),
    ]
    return Page(title, lead(found), sections, found.notes)


def lead(found: Explanation) -> list[str]:
    """Return what a reader is to know first, in sentences."""
    n, check = len(found.maps.predicted), found.randomisation
    first = ", ".join(str(found.components[k]) for k in found.order[:5])
    most = found.by_component["occlusion"][found.order[0]]
    said = [
        f"{n:,} participants' predictions. Taking a component away changes them most, between participants, for the "
        f"components {first}; for the first by {with_interval(_size(most))} years (SD)."
        if most.spread.value is not None
        else f"One participant's prediction. Taking a component away changes it most for the components {first}."
    ]
    if found.agreement is not None:
        said.append(f"Occlusion and integrated gradients rank the components alike with ρ = {found.agreement:.2f}.")
    said.append(
        f"The gradients miss what they are to add up to by {found.completeness.mean:.4f} years in the mean "
        f"participant. Networks of random weights rank the components with ρ = {number(check.occlusion.mean)} to "
        f"these, and their maps with ρ = {number(check.maps.mean)}."
    )
    return said


def _components(found: Explanation) -> Section:
    texts = [
        "Occlusion: the prediction less that with the component's z-scored series replaced by zeros. Integrated "
        "gradients: the component's share of the difference between the prediction and that of zeros in all "
        f"components, which is {found.maps.silent:.1f} years. Components have their numbers in the decomposition, "
        "from 1.",
        "The SD is over participants and tells how far a component sets their predictions apart. The mean effect, "
        "above 0 where it makes predictions older, is a shift that all share: zeros are unlike any scan, so it says "
        "little about age. A component that the network relies on need not be one that ages: it may "
        "stand for motion, or suppress what another one carries.",
    ]
    return Section("Components", texts, [Table(*component_rows(found))], [figures.components(found)])


def _time(found: Explanation) -> Section:
    texts = [
        "A window of one component (the maps), or of all components together (the curve). At rest no moment is the "
        "same in two people: what participants have in common over time is how the network reads a scan, such as ends "
        "that fewer of its poolings cover, and not what a brain did then."
    ]
    header = ("time", *_header(found))
    rows = [
        [
            f"{found.seconds[k]:.0f} to {found.seconds[k + 1]:.0f} s",
            *_cells(found.by_time["occlusion"][k]),
            *_cells(found.by_time["gradients"][k]),
        ]
        for k in range(len(found.seconds) - 1)
    ]
    drawn = [figures.component_time(found), figures.time_course(found)]
    return Section("Over time", texts, [Table(header, rows)], drawn)


def _participants(found: Explanation) -> Section:
    maps = found.maps
    order = sorted(range(len(maps.predicted)), key=lambda row: float(maps.predicted[row]))
    rows = sorted({order[0], order[len(order) // 2], order[-1]})
    texts = [
        "Single participants are rows of participants.csv, which names nobody; maps.npz has their component x time "
        "maps in the same order."
    ]
    return Section(
        "Single participants", texts, figures=[figures.participants(found), figures.single_maps(found, rows)]
    )


def _checks(found: Explanation) -> Section:
    texts = [
        "Integrated gradients add up to the prediction less that of zeros, but for the error of the integration "
        "(Sundararajan et al. 2017, doi 10.48550/arXiv.1703.01365).",
        "A map that does not change when the weights are drawn anew does not show what was learned (Adebayo et al. "
        "2018, doi 10.48550/arXiv.1810.03292). Spearman's ρ of the trained network with such ones, mean over draws "
        f"(lowest to highest); from {ALIKE} on they are called the same. Maps without their signs are always somewhat "
        "alike, since gradients are multiplied by the series: their size at a moment is not to be interpreted.",
    ]
    return Section("Checks", texts, [Table(*check_rows(found))])


def _header(found: Explanation) -> tuple[str, ...]:
    of = "size" if len(found.maps.predicted) < 2 else "SD"
    return tuple(name for method in ("occlusion", "gradients") for name in (f"{method}, {of}", "mean effect"))


def _size(summary: Summary) -> Estimate:
    """Return the spread; the size where there is one participant only."""
    return summary.absolute if summary.spread.value is None else summary.spread


def _cells(summary: Summary) -> list[str]:
    return [with_interval(_size(summary)), signed_interval(summary.mean)]


def _likeness(known: RankCorrelation) -> str:
    return "-" if known.mean is None else f"ρ = {number(known.mean)} ({number(known.low)} to {number(known.high)})"
