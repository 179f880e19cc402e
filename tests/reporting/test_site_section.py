"""The section on sites."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.reporting.site_section import sites_section


def found(**options: bool) -> Findings:
    rng = np.random.default_rng(2)
    site = np.repeat(["Hull", "Leeds", "York", "Ely"], [50, 50, 44, 6])
    age = rng.uniform(45, 60, 150) + 12 * (site == "York")
    names = [f"p{number}" for number in range(150)]
    predictions = pd.DataFrame({"participant_id": names, "age": age, "predicted_age": age + rng.normal(0, 3, 150)})
    phenotypes = pd.DataFrame({"participant_id": names, "site": site})
    return analyse(predictions, phenotypes, AnalysisSettings(rows="all", n_resamples=100, **options))


@pytest.mark.usefixtures("undrawn")
def test_each_site_is_described_small_ones_together_and_what_site_tells_is_said() -> None:
    findings = found()
    section = sites_section(findings)
    assert section is not None and findings.sites is not None
    sites, tells = section.tables
    # Six of Ely, and a second site, so that Ely's cannot be computed from the total.
    assert [(row[0], row[1]) for row in sites.rows] == [("Hull", "50"), ("Leeds", "50"), ("other, or unknown", "50")]
    (alone, mean), in_gap = ((findings.sites.alone.mae, findings.sites.alone.mean_mae), findings.sites.in_gap)
    values = [row[1] for row in tells.rows]
    assert in_gap is not None and values[:2] == [f"{alone:.2f} years", f"{mean:.2f} years"]
    assert values[-2:] == [f"{100 * in_gap.share:.1f} %", f"{100 * in_gap.chance:.1f} %"]
    assert "150 participants of 4 sites are analysed. Whether the model was trained" in section.texts[0]
    assert section.texts[1].startswith("Site alone predicts age") and section.texts[1] in findings.notes


@pytest.mark.usefixtures("undrawn")
def test_left_out_sites_are_said_to_be_new() -> None:
    section = sites_section(found(seen_sites=False))
    assert section is not None and len(section.texts) == 1
    assert "Their sites had no training participants" in section.texts[0]
