"""Report of an explanation: which components and times a network uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brainage.explanation.effects import ALIKE, Randomisation, RankCorrelation
from brainage.explanation.summary import Explanation, Summary
from brainage.reporting import explanation_figures as figures
from brainage.reporting.figure import Figure
from brainage.reporting.page import Page, Section, Table, made_with
from brainage.reporting.text import number, signed_interval, with_interval

Rows = tuple[Sequence[str], list[list[str]]]


def component_rows(found: Explanation) -> Rows:
    """Return header and rows of the components, in their order."""
    header = (found.kind, *(f"r with age, {method}" for method in found.with_age), *_header(found))
    rows = [
        [found.labels[k], *(with_interval(r[k]) for r in found.with_age.values()), *_both(found.by_component, k)]
        for k in found.order
    ]
    return header, rows


def check_rows(found: Explanation) -> Rows:
    """Return header and rows of the completeness and randomisation checks."""
    error = found.maps.completeness
    relative = "-" if error.relative is None else f"{error.relative:.2%} of {error.effect:.2f} years"
    error_text = f"{error.mean:.4f} years, at most {error.highest:.4f}"
    check = found.randomisation
    rows = [
        [f"completeness error of the gradients, {found.n_steps} steps", error_text],
        ["completeness error / mean absolute effect", relative],
        *_compared(found, f"random weights ({check.n_draws} draws)", check),
        ["maps with random weights", _ALIKE[check.alike]],
    ]
    if found.shuffled is not None:
        rows += _compared(found, f"shuffled ages ({found.shuffled_epochs} epochs)", found.shuffled)
        rows += [["maps with shuffled ages", _ALIKE[found.shuffled.alike]]]
    if found.others is not None:
        rows += _compared(found, f"other trainings ({found.others.n_draws})", found.others)
    return ("", ""), rows


_ALIKE = {True: "similar", False: "different", None: "-"}


def _compared(found: Explanation, name: str, check: Randomisation) -> list[list[str]]:
    kinds = f"{found.kind}s"
    return [
        [f"{name}, {kinds} by occlusion", _rho(check.occlusion)],
        [f"{name}, {kinds} by gradients", _rho(check.gradients)],
        [f"{name}, maps of gradients", _rho(check.maps)],
        [f"{name}, absolute maps of gradients", _rho(check.maps_absolute)],
    ]


def explanation_page(
    found: Explanation, facts: Sequence[tuple[str, str]], brain: Figure | None = None, *, title: str, points: str
) -> Page:
    """Return the report; single participants are drawn only if `points` is "all"."""
    about = Section("What was explained", tables=[Table((), [*facts, *made_with()], text=True)])
    single = [_participants(found)] if points == "all" else []
    return Page(
        title,
        lead(found),
        [_components(found), *_brain(found, brain), _time(found), *single, _checks(found), about],
        found.notes,
    )


def lead(found: Explanation) -> list[str]:
    """Return the summary sentences at the top of the page."""
    n, check = len(found.maps.predicted), found.randomisation
    first, kinds = ", ".join(found.labels[k] for k in found.order[:5]), f"{found.kind.capitalize()}s"
    most = found.by_component["occlusion"][found.order[0]]
    what = (
        "whose effects by occlusion correlate most with age"
        if found.with_age
        else "with the largest effects by occlusion"
    )
    sentences = [
        f"Predictions of {n:,} participants. {kinds} {what}: {first}; the effect of the first has an SD of "
        f"{with_interval(most.spread)} years over participants."
        if most.spread.value is not None
        else f"Prediction of one participant. {kinds} with the largest effects by occlusion: {first}."
    ]
    if found.agreement is not None:
        sentences.append(f"Rank correlation of {found.kind} effects between the two methods: {found.agreement:.2f}.")
    sentences.append(
        f"Mean completeness error of the gradients: {found.maps.completeness.mean:.4f} years. Rank correlation with "
        f"networks with random weights: {number(check.occlusion.mean)} for {found.kind} effects by occlusion, "
        f"{number(check.maps.mean)} for maps of gradients."
    )
    if (others := found.others) is not None:
        several = f"{others.n_draws} other trainings" if others.n_draws > 1 else "another training"
        sentences.append(
            f"Rank correlation with {several}: {number(others.occlusion.mean)} for {found.kind} effects by occlusion, "
            f"{number(others.maps.mean)} for maps of gradients."
        )
    return sentences


# What occlusion does to a channel of each scale, and the series that integrated gradients start from.
_REPLACED = {
    "zscore": ("z-scored series replaced by zeros", "all zeros"),
    "percent": ("percent signal change replaced by zeros", "all zeros"),
    "none": (
        "series replaced by its mean over time, so effects of the means themselves are not shown",
        "all means",
    ),
}


_RANKED = (
    "The {kinds} are in the order of the absolute correlation of their effect by occlusion with true age, over "
    "participants: a {kind} that carries age has an effect that grows with it. Intervals are by Fisher's z."
)


def _components(found: Explanation) -> Section:
    kind = found.kind
    numbered = "" if found.names is not None else " Components are numbered as in the decomposition, from 1."
    replaced, silence = _REPLACED[found.scale]
    texts = [
        f"Occlusion: the prediction minus the prediction with the {kind}'s {replaced}. Integrated gradients: the "
        f"{kind}'s share of the difference between the prediction and the prediction for {silence}, which is "
        f"{found.maps.silent.mean():.1f} years{' on average' if len(found.maps.silent) > 1 else ''}.{numbered}",
        *([_RANKED.format(kind=kind, kinds=f"{kind}s")] if found.with_age else []),
        f"The SD over participants measures how much a {kind} separates their predictions. The mean effect (above 0: "
        f"the {kind} makes predictions older) is a shift common to all participants: no scan is constant, so it "
        f"says little about age. A {kind} that the network relies on need not change with age: it may represent "
        f"motion, or suppress the signal of another {kind}. All effects are in years, with 95 % bootstrap intervals.",
    ]
    return Section(f"{kind.capitalize()}s", texts, [Table(*component_rows(found))], [figures.components(found)])


def _brain(found: Explanation, figure: Figure | None) -> list[Section]:
    if figure is None:
        return []
    texts = [
        f"Effects by occlusion where the atlas has the {found.kind}s: the first {found.kind} of the files is its "
        "lowest label or its first map, and so on. Maps are divided by their highest value and summed, weighted by the "
        "effects. brain.nii.gz has the size and the mean of effects by occlusion, then by integrated gradients."
    ]
    return [Section("In the brain", texts, figures=[figure])]


def _time(found: Explanation) -> Section:
    texts = [
        f"Effects of a time window of one {found.kind} (the maps), or of all {found.kind}s together (table and curve). "
        "At rest, time points are not comparable between participants: an average over time reflects how the network "
        "processes a scan, such as the ends, which fewer pooling windows cover, and not brain activity at that time."
    ]
    header = ("time", *_header(found))
    rows = [
        [f"{found.times[k]:.0f} to {found.times[k + 1]:.0f} {found.unit}", *_both(found.by_time, k)]
        for k in range(len(found.times) - 1)
    ]
    drawn = [figures.component_time(found), figures.time_course(found)]
    return Section("Over time", texts, [Table(header, rows)], drawn)


def _participants(found: Explanation) -> Section:
    predicted = found.maps.predicted[found.shown_rows]
    order = sorted(range(len(predicted)), key=lambda row: float(predicted[row]))
    rows = sorted({order[0], order[len(order) // 2], order[-1]})
    texts = ["Rows are those of participants.csv, which contains no ids; maps.npz contains all maps in the same order."]
    drawn = [figures.participants(found), figures.single_maps(found, rows)]
    return Section("Single participants", texts, figures=drawn)


def _checks(found: Explanation) -> Section:
    texts = [
        "Integrated gradients sum to the prediction minus that for zeros, up to the integration error "
        "(Sundararajan et al. 2017, doi 10.48550/arXiv.1703.01365).",
        "A map that does not change when the weights are randomised does not show what was learned (Adebayo et al. "
        "2018, doi 10.48550/arXiv.1810.03292). Spearman's ρ between maps of the trained and of randomised networks, "
        f"mean over draws (lowest to highest); from {ALIKE} on they are called similar. Absolute maps always "
        "correlate, because gradients are multiplied by the series: do not interpret their size at one time point.",
        *([_SHUFFLED] if found.shuffled is not None else []),
        *([_OTHERS] if found.others is not None else []),
    ]
    return Section("Checks", texts, [Table(*check_rows(found))])


_SHUFFLED = (
    "Shuffled ages: a new network was trained on the same training participants, each with the age of another. What "
    "its maps have in common with those of the network is not what it learned of age."
)
_OTHERS = (
    "Other trainings: the same correlations with other trained networks, such as those of other seeds, on the same "
    "participants. Effects that another seed ranks differently are those of one training, not of the brain."
)


def _header(found: Explanation) -> tuple[str, ...]:
    of = "size" if len(found.maps.predicted) < 2 else "SD"
    return tuple(f"{method}, {name}" for method in ("occlusion", "gradients") for name in (of, "mean"))


def _both(effects: Mapping[str, Sequence[Summary]], k: int) -> list[str]:
    """Return size and mean effect by both methods; the size for one participant is the absolute effect."""
    cells = []
    for method in ("occlusion", "gradients"):
        summary = effects[method][k]
        size = summary.absolute if summary.spread.value is None else summary.spread
        cells += [with_interval(size), signed_interval(summary.mean)]
    return cells


def _rho(known: RankCorrelation) -> str:
    if known.mean is None:
        return "-"
    several = known.low != known.high
    return f"ρ = {number(known.mean)}" + (f" ({number(known.low)} to {number(known.high)})" if several else "")
