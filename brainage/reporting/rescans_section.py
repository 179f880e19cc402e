"""The section of repeated scans of a page of findings."""

from __future__ import annotations

from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.rescans import VISITS, Change, Rescans
from brainage.models import geometry
from brainage.models.geometry.networks import GEOMETRIES
from brainage.reporting.about import About
from brainage.reporting.page import Section, Table
from brainage.reporting.text import number, percent, signed_interval, with_interval
from brainage.system.reading import yaml_values

_NAMES = {"predicted_age": "predicted age", "bag": "gap", "bag_corrected": "corrected gap"}


def rescans_section(about: About) -> Section | None:
    """Return how well two scans of a participant agree; None where no participant has two, or it is unknown."""
    found = about.rescans
    if found is None:
        return _unavailable(about)
    more = f" {found.n_more:,} with more than two are left out." if found.n_more else ""
    if not found.measures:
        few = f"{found.n:,} of the analysed participants have exactly two scans, and {MIN_SHOWN} are needed.{more}"
        return Section("Repeated scans", [few])
    tables = [_agreement(found), *([_change(found.change)] if found.change else [])]
    return Section("Repeated scans", [_text(found) + more], tables)


def _unavailable(about: About) -> Section | None:
    """Return why a network has no split halves; None where it may have been asked for none."""
    config = yaml_values(about.config) or {} if about.summary and not about.is_baseline and not about.is_pooled else {}
    model, modality = config.get("model") or {}, config.get("modality") or {}
    if model.get("name") not in GEOMETRIES or modality.get("windows") == "all":
        return None
    if geometry.takes_other_lengths(model):
        return None
    reason = (
        "Of one scan a participant, the halves could be compared; but the last layer of this network has weights for "
        f"all {modality.get('n_times')} time points. A network with model.readout=global_average, or a ridge, can."
    )
    return Section("Repeated scans", [reason])


def _text(found: Rescans) -> str:
    whose = "Two visits" if found.kind == VISITS else "The first and the second half of one scan"
    text = (
        f"{whose} of {found.n:,} of the analysed participants, each predicted on its own. ICC(C,1) is the share of "
        "variance that is between participants; in ICC(A,1), a mean difference between the scans is disagreement. The "
        "standard error of measurement is the noise of one scan, in years."
    )
    if found.kind == VISITS:
        return (
            f"{text} Participants are older at the second visit: ICC(A,1) of predicted ages counts this real ageing as "
            "disagreement; that of gaps does not."
        )
    return f"{text} Halves have half the time points: a whole scan agrees better with another one, of the same day."


def _agreement(found: Rescans) -> Table:
    rows = [
        [_NAMES[one.name], f"{one.n:,}", with_interval(one.agreement), with_interval(one.consistency),
         with_interval(one.error)]
        for one in found.measures
    ]  # fmt: skip
    header = ("two scans", "N", "ICC(A,1)", "ICC(C,1)", "standard error of measurement (years)")
    return Table(header, rows, note="With 95 % intervals (McGraw & Wong 1996, doi 10.1037/1082-989X.1.1.30).")


def _change(change: Change) -> Table:
    older, has_corrected = change.older, change.per_year_corrected.value is not None
    rows = [
        ["time between scans, mean ± SD (years)", f"{number(change.years[0])} ± {number(change.years[1])}"],
        ["later scan has the higher predicted age",
         f"{percent(older.value)} ({percent(older.low)} to {percent(older.high)})"],
        ["change of the gap per year", signed_interval(change.per_year)],
        *([["change of the corrected gap per year", signed_interval(change.per_year_corrected)]] * has_corrected),
        ["r of change of the gap with time between scans", with_interval(change.with_time)],
    ]  # fmt: skip
    note = (
        "If the gap does not change, the later scan is predicted older by the time between the scans; how often that "
        "is seen depends on this time and on the noise. A model trained on pairs of scans, to tell the later one by "
        "connectivity, was right in 82.5 % (Orlichenko et al. 2023, arXiv 2308.07992)."
    )
    return Table((f"between visits, N = {change.n:,}", "value (95 % interval)"), rows, note=note)
