"""Findings and comparisons in the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.compare_runs import compare_runs
from brainage.evaluation.findings import Findings
from brainage.evaluation.shared import Member
from brainage.reporting.run_summary import epochs_text, show_summary
from brainage.reporting.terminal import show_comparison, show_findings


@pytest.mark.parametrize(("n", "text"), [(10, "5.25 years"), (9, "not shown for fewer than 10 participants")])
def test_a_run_ends_with_its_error_unless_it_is_that_of_few(
    n: int, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ("train", "val", "test")
    summary = {
        "model": {"name": "ridge", "parameters": 3},
        "cohort": {"name": "simulated"},
        "n": {part: n for part in parts},
        "metrics": {part: {"mae": 5.25} for part in parts},
        "baseline": {part: {"mae": 10.5} for part in parts},
        "epochs": 1,
        "best_epoch": None,
        "seconds": {"total": 1.0, "fit": 1.0},
    }
    show_summary(summary, tmp_path)
    out = capsys.readouterr().out
    assert text in out and ("5.25" in out) == ("50%" in out) == (n == 10)


def test_findings_are_printed_with_the_strongest_associations_first(
    findings: Findings, capsys: pytest.CaptureFixture[str]
) -> None:
    show_findings(replace(findings, notes=("Beware\x1b.",)))
    printed = capsys.readouterr().out
    mae = findings.accuracy.estimates["mae"]
    assert re.search(rf"^MAE +{mae.value:.2f} years +{mae.low:.2f} to {mae.high:.2f}", printed, re.M)
    assert re.search(r"^participants +30 +age \d\d\.\d ± ", printed, re.M)
    assert re.search(r"^ridge on spectra +20\.00 +-\d+\.\d\d \(-.* to -.*\) +0\.020$", printed, re.M)
    assert re.search(r"^mean age of the site +5\.00 ", printed, re.M)
    assert re.search(r"gap, corrected +0\.\d\d, 0\.\d\d +best possible 0\.\d\d, 1\.00", printed)
    assert re.search(r"^speed .*^hand ", printed, re.M | re.S) and "2 of 2 variables" in printed
    assert "note: Beware?." in printed


def test_a_comparison_is_printed_with_metrics_differences_and_excluded_jobs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    age = np.linspace(45, 80, 12)
    ids = [f"p{number}" for number in range(12)]
    members = [
        Member(name, pd.DataFrame({"participant_id": ids, "split": "test", "age": age, "predicted_age": age + error}))
        for name, error in (("one", 3.0), ("two", 5.0))
    ]
    show_comparison(compare_runs(members, n_resamples=100, seed=0), [1234, None], ["job 2, which is failed"])
    printed = capsys.readouterr().out
    assert "12 test participants are shared, of 12, 12." in printed
    assert re.search(r"^one +3\.00 \(3\.00 to 3\.00\).* 1,234 *$", printed, re.M)
    assert re.search(r"\(one\) - \(two\) +-2\.00 \(-2\.00 to -2\.00\) years +0\.020", printed)
    assert "Excluded: job 2, which is failed" in printed


@pytest.mark.parametrize(
    ("epochs", "best", "text"),
    [
        (30, 29, "30 epochs, best: the last"),
        (30, 0, "30 epochs, best: the first"),
        (30, 3, "30 epochs, best: number 3 (from 0)"),
        (1, 0, "1 epoch"),
    ],
)
def test_a_training_has_its_epochs_and_the_best_of_them(epochs: int, best: int, text: str) -> None:
    assert epochs_text(epochs, best) == text
