"""Simulated participants with known true gaps: the analysis finds the one true association, and none without signal.

The predictor is the connectivity ridge on 1,500 participants (validation and test rows analysed, 300 of them): it takes
seconds, and every predictor's findings come from the same code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra.core.hydra_config import HydraConfig

from brainage.data.cohorts.simulated import PHENOTYPE_CAUSES
from brainage.data.cohorts.simulated2_people import PHENOTYPE_CAUSES_2

SEEDS = range(20)
COMMON = ("model=ridge_connectivity", "trainer=cpu", "associations.rows=val+test", "cohort.n_participants=1500")

RunJob = Callable[..., dict[str, Any]]


def found(run_job: RunJob, *words: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run; return the associations of phenotypes, by name, and the other findings."""
    assert run_job(*COMMON, *words)["status"] == "finished"
    folder = Path(HydraConfig.get().runtime.output_dir)
    table = pd.read_csv(folder / "associations.csv").set_index("variable")
    return table, json.loads((folder / "findings.json").read_text())


@pytest.mark.slow
def test_the_phenotype_that_the_gap_causes_is_found_and_no_other(
    run_job: RunJob, capsys: pytest.CaptureFixture[str]
) -> None:
    caused = {name for name, cause in PHENOTYPE_CAUSES.items() if cause == "true_gap"}
    n_right = 0
    for seed in SEEDS:
        table, findings = found(run_job, f"cohort.seed={seed}")
        n_right += set(table.index[table["q_partial"] < 0.01]) == caused
        truth = findings["true_gap"]
        assert 0.3 < truth["r"] < truth["best_r"]
        assert truth["r"] < truth["r_corrected"] < 1
        assert "r with true gap: gap, corrected" in capsys.readouterr().out
    assert n_right >= 17


@pytest.mark.slow
def test_without_signal_nothing_is_found(run_job: RunJob) -> None:
    n_no_r2 = n_no_association = 0
    for seed in SEEDS:
        table, findings = found(run_job, f"cohort.seed={seed}", "cohort.signal=0")
        n_no_r2 += findings["accuracy"]["estimates"]["r2"]["low"] <= 0
        n_no_association += not (table["q_partial"] < 0.05).any()
    assert n_no_r2 >= 17
    assert n_no_association >= 17


@pytest.mark.slow
def test_in_version_2_the_gap_is_recovered_and_no_variable_without_a_cause_is_found(run_job: RunJob) -> None:
    nulls = [name for name, cause in PHENOTYPE_CAUSES_2.items() if cause is None]
    n_no_association, of_speed = 0, []
    for seed in SEEDS[:4]:
        table, findings = found(run_job, "cohort.version=2", f"cohort.seed={seed}")
        n_no_association += not (table.loc[nulls, "q_partial"] < 0.05).any()
        of_speed.append(table["r_partial"]["processing_speed"])
        truth = findings["true_gap"]
        assert 0.1 < truth["r_corrected"] < 0.6 < truth["best_r"]
    assert n_no_association >= 3
    assert sum(of_speed) / len(of_speed) < -0.02
