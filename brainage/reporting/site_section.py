"""The section on sites: accuracy and gap of each, what site alone predicts, and site in the gap."""

from __future__ import annotations

from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.findings import Findings
from brainage.evaluation.sites import N_PERMUTATIONS, SiteAlone, SiteInGap, Sites, site_caveats
from brainage.reporting import quality_figures as figures
from brainage.reporting.page import Section, Table, some
from brainage.reporting.quality_sections import groups_table
from brainage.reporting.text import p_text, signed_interval, years


def sites_section(findings: Findings) -> Section | None:
    """Return the section; None where sites are unknown, or there is one."""
    sites = findings.sites
    if sites is None:
        return None
    groups = [group for group in findings.groups if group.variable == "site"]
    texts = [_trained_text(sites), *site_caveats(sites)]
    tables = [_table(sites)] if sites.alone or sites.in_gap else []
    if groups:
        note = (
            "In years, with 95 % bootstrap intervals. Sites of fewer than "
            f"{MIN_SHOWN} participants, and those that would give them away, are counted together."
        )
        table = groups_table(groups, "site", note)
        n_rest = len(findings.rows) - sum(group.n for group in groups)
        rest = [["other, or unknown", f"{n_rest:,}", *["-"] * (len(table.header) - 2)]] if n_rest else []
        tables.insert(0, Table(table.header, [*table.rows, *rest], note=note))
    elif sites.n_sites > 1:
        texts.append(f"Fewer than two sites can be described: that needs {MIN_SHOWN} participants of each.")
    return Section("Sites", texts, tables, some([figures.groups(groups, "sites")]))


def _trained_text(sites: Sites) -> str:
    """Return whether the sites of the analysed participants were in the training."""
    of = f"{sites.n:,} participants of {sites.n_sites} site{'s' if sites.n_sites > 1 else ''}"
    if sites.n_trained is None:
        return f"{of} are analysed. Whether the model was trained at these sites is unknown."
    if sites.n_trained == 0:
        return f"{of} are analysed. Their sites had no training participants: this is the accuracy at new sites."
    if sites.n_trained == sites.n:
        return f"{of} are analysed. All of these sites had training participants."
    return f"{of} are analysed; {sites.n_trained:,} of these are of sites with training participants."


def _table(sites: Sites) -> Table:
    rows, note = [], ""
    if sites.alone is not None:
        rows += _alone_rows(sites.alone)
    if (found := sites.in_gap) is not None:
        rows += _gap_rows(found)
        note = (
            f"The gap is adjusted for age and age². By chance: the mean of {N_PERMUTATIONS:,} permutations between "
            f"participants, which also give p. N = {found.n:,} of {found.n_sites} sites."
        )
    return Table(("what site tells", "value", "p"), rows, note=note)


def _alone_rows(alone: SiteAlone) -> list[list[str]]:
    whose = "of its training participants" if alone.of_training else "of the others there"
    return [
        [f"MAE of age predicted from site alone (mean age {whose})", years(alone.mae), ""],
        ["MAE of predicting the mean age of all sites", years(alone.mean_mae), ""],
        ["difference (95 % interval); below 0, site predicts age", signed_interval(alone.difference.mae),
         p_text(alone.difference.p)],
        ["MAE of this model", years(alone.model_mae), ""],
    ]  # fmt: skip


def _gap_rows(found: SiteInGap) -> list[list[str]]:
    return [
        ["share of the gap's variance that site explains", f"{100 * found.share:.1f} %", p_text(found.p)],
        ["the same by chance", f"{100 * found.chance:.1f} %", ""],
    ]
