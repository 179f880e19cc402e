"""Report of an explanation: which components and times a network uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brainage.evaluation.intervals import Estimate
from brainage.explanation.effects import ALIKE, RankCorrelation
from brainage.explanation.summary import Explanation, Summary
from brainage.reporting import explanation_figures as figures
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import number, signed_interval, with_interval

Rows = tuple[Sequence[str], list[list[str]]]


def component_rows(found: Explanation) -> Rows:
    """Return header and rows of the components, in descending order of effect."""
    header = ("component", *_header(found))
    rows = [[str(found.components[k]), *_both(found.by_component, k)] for k in found.order]
    return header, rows


def check_rows(found: Explanation) -> Rows:
    """Return header and rows of the completeness and randomisation checks."""
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
        ["  maps, absolute values", _likeness(check.maps_absolute)],
        ["random weights give", {True: "the same maps", False: "other maps", None: "-"}[check.alike]],
    ]
    return ("", ""), rows


def explanation_page(found: Explanation, facts: Sequence[tuple[str, str]], *, title: str, points: str) -> Page:
    """Return the report; single participants are drawn only if `points` is "all"."""
    sections = [_components(found), _time(found)]
    if points == "all":
        sections.append(_participants(found))
    sections += [
        _checks(found),
        Section("What was explained", tables=[Table((), [*facts, *made_with()], text=True)]),
    ]
    return Page(title, lead(found), sections, found.notes)


def lead(found: Explanation) -> list[str]:
    """Return the summary sentences at the top of the page."""
    n, check = len(found.maps.predicted), found.randomisation
    first = ", ".join(str(found.components[k]) for k in found.order[:5])
    most = found.by_component["occlusion"][found.order[0]]
    said = [
        f"Predictions of {n:,} participants. Removing a component changes them most for the components {first}; for "
        f"the first the effect has an SD of {with_interval(_size(most))} years between participants."
        if most.spread.value is not None
        else f"Prediction of one participant. Removing a component changes it most for the components {first}."
    ]
    if found.agreement is not None:
        said.append(
            f"Component ranks by occlusion and by integrated gradients correlate with ρ = {found.agreement:.2f}."
        )
    said.append(
        f"Mean completeness error of the gradients: {found.completeness.mean:.4f} years. Networks with random weights "
        f"correlate with these component effects with ρ = {number(check.occlusion.mean)}, and with the maps with ρ = "
        f"{number(check.maps.mean)}."
    )
    return said


def _components(found: Explanation) -> Section:
    texts = [
        "Occlusion: the prediction minus the prediction with the component's z-scored series replaced by zeros. "
        "Integrated gradients: the component's share of the difference between the prediction and the prediction for "
        f"all zeros, which is {found.maps.silent:.1f} years. Components are numbered as in the decomposition, from 1.",
        "The SD is over participants and measures how much a component separates their predictions. The mean effect "
        "(above 0: predictions become older) is a shift common to all: no scan resembles zeros, so it says "
        "little about age. A component that the network relies on need not change with age: it may "
        "represent motion, or suppress the signal of another component.",
    ]
    return Section("Components", texts, [Table(*component_rows(found))], [figures.components(found)])


def _time(found: Explanation) -> Section:
    texts = [
        "A window of one component (the maps), or of all components together (the curve). At rest, no time point is "
        "comparable between participants: what they share over time is how the network processes a scan, such as ends "
        "covered by fewer poolings, and not brain activity at that time."
    ]
    header = ("time", *_header(found))
    rows = [
        [f"{found.seconds[k]:.0f} to {found.seconds[k + 1]:.0f} s", *_both(found.by_time, k)]
        for k in range(len(found.seconds) - 1)
    ]
    drawn = [figures.component_time(found), figures.time_course(found)]
    return Section("Over time", texts, [Table(header, rows)], drawn)


def _participants(found: Explanation) -> Section:
    maps = found.maps
    order = sorted(range(len(maps.predicted)), key=lambda row: float(maps.predicted[row]))
    rows = sorted({order[0], order[len(order) // 2], order[-1]})
    texts = [
        "Single participants are rows of participants.csv, which contains no ids; maps.npz contains their component x "
        "time maps in the same order."
    ]
    return Section(
        "Single participants", texts, figures=[figures.participants(found), figures.single_maps(found, rows)]
    )


def _checks(found: Explanation) -> Section:
    texts = [
        "Integrated gradients sum to the prediction minus that for zeros, up to the integration error "
        "(Sundararajan et al. 2017, doi 10.48550/arXiv.1703.01365).",
        "A map that does not change when the weights are randomised does not show what was learned (Adebayo et al. "
        "2018, doi 10.48550/arXiv.1810.03292). Spearman's ρ between maps of the trained and of randomised networks, "
        f"mean over draws (lowest to highest); from {ALIKE} on they are called the same. Absolute values of maps are "
        "always somewhat similar, since gradients are multiplied by the series: do not interpret their size at one "
        "time point.",
    ]
    return Section("Checks", texts, [Table(*check_rows(found))])


def _header(found: Explanation) -> tuple[str, ...]:
    of = "size" if len(found.maps.predicted) < 2 else "SD"
    return tuple(name for method in ("occlusion", "gradients") for name in (f"{method}, {of}", "mean effect"))


def _size(summary: Summary) -> Estimate:
    """Return the SD between participants; the absolute effect for a single participant."""
    return summary.absolute if summary.spread.value is None else summary.spread


def _both(effects: Mapping[str, Sequence[Summary]], k: int) -> list[str]:
    return [cell for method in ("occlusion", "gradients") for cell in _cells(effects[method][k])]


def _cells(summary: Summary) -> list[str]:
    return [with_interval(_size(summary)), signed_interval(summary.mean)]


def _likeness(known: RankCorrelation) -> str:
    return "-" if known.mean is None else f"ρ = {number(known.mean)} ({number(known.low)} to {number(known.high)})"
