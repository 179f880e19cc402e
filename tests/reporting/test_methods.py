"""The paragraph on methods, whose numbers are those of the run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.folds import Fold, FoldResults
from brainage.evaluation.group_difference import GroupDifferences, GroupSettings
from brainage.reporting.about import About
from brainage.reporting.field import field_section
from brainage.reporting.methods import methods, methods_section
from brainage.reporting.works import WORKS

SUMMARY: dict[str, Any] = {
    "model": {"name": "variable1dcnn", "parameters": 123456},
    "cohort": {"name": "ukb", "n_participants": 4321, "n_excluded": 17},
    "n": {"train": 3001, "val": 612, "test": 708},
    "seed": 11,
    "epochs": 28,
    "best_epoch": 21,
    "commit": "0123456789abcdef",
    "versions": {"brainage": "9.8.7"},
}
CONFIG = """
modality: {name: cc200, dimension: 200, n_channels: 190, n_times: 333, t_r: 1.25}
split: {name: random, seed: 97}
optimizer: {_target_: torch.optim.AdamW, lr: 0.0031, weight_decay: 0.042}
batch_size: 59
recipe: {name: modern, circular_shift: true, cutmix: 0.6, weight_averaging: 0.93}
"""


def numbers(text: str) -> list[str]:
    """Return all numbers besides years of citations, names and the words R² and 95 %."""
    for name in (*WORKS, "HC3", "variable1dcnn", "cc200", "95 %", "0123456789ab", "9.8.7"):
        text = text.replace(name, "")
    return re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?", text)


def test_every_number_is_that_of_the_run(findings: Findings) -> None:
    text = methods(replace(findings, intervals=(), coverage=()), About("Title", [], CONFIG, summary=SUMMARY))
    rows = findings.predictions[findings.predictions["split"] == "test"]
    age, predicted = rows["age"].to_numpy(), rows["predicted_age"].to_numpy()
    estimates, ridge = findings.accuracy.estimates, findings.ridge
    assert ridge is not None
    by_numpy = {
        "mae": np.abs(predicted - age).mean(),
        "r2": 1 - ((predicted - age) ** 2).sum() / ((age - age.mean()) ** 2).sum(),
        "pearson_r": np.corrcoef(age, predicted)[0, 1],
        "slope": np.polyfit(age, predicted, 1)[0],
    }
    measured = [x for name, value in by_numpy.items() for x in (value, estimates[name].low, estimates[name].high)]
    mean_age = findings.predictions.query("split == 'train'")["age"].mean()
    others = [
        np.abs(age - mean_age).mean(),
        ridge.difference.mae.value,
        ridge.difference.mae.low,
        ridge.difference.mae.high,
    ]
    expected = [
        *["17", "4,321", "3,001", "612", "708", "97", "190", "200", "333", "1.25"],
        *["123,456", "0.0031", "0.042", "59", "0.6", "0.93", "28", "22", "11"],
        *["30", f"{age.mean():.2f}", f"{age.std(ddof=1):.2f}"],
        *[f"{value:.2f}" for value in measured],
        "100",
        *[f"{value:.2f}" for value in others],
        *["140", "2"],
    ]
    assert [one.replace("-0.00", "0.00") for one in numbers(text)] == expected


def test_works_are_listed_that_are_cited_and_no_others(findings: Findings) -> None:
    text, *works = methods_section(findings, About("Title", [], CONFIG, summary=SUMMARY)).texts
    assert [name for name, work in WORKS.items() if work in works] == [name for name in WORKS if name in text]
    cited = set(re.findall(r"(?:[A-Z][a-z]+ (?:et al\.|and [A-Z][a-z]+)) \d{4}", text))
    assert cited and all(any(one in name for name in WORKS) for one in cited)
    assert all("doi 10." in work for work in works if not work.startswith("Riedel"))
    assert "Kingma" not in " ".join(works) and "Loshchilov" in " ".join(works)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("linear", "in 140 validation participants (Beheshti et al. 2019"),
        ("cole", "(Cole et al. 2018"),
        ("in_sample", "of the same participants, by which its correlation with age is zero"),
        ("crossfit", "in other held-out participants (cross-fitting"),
        ("none", None),
    ],
)
def test_the_correction_is_that_of_the_findings(findings: Findings, method: str, words: str | None) -> None:
    table = findings.predictions[["participant_id", "split", "age", "predicted_age"]]
    found = analyse(table, None, AnalysisSettings(gap_correction=method, n_resamples=50))
    text = methods(found, About("Title", []))
    assert words in text if words else "corrected" not in text


@pytest.mark.parametrize(
    ("model", "config", "words"),
    [
        (
            "ridge_connectivity",
            "{kind: partial correlation}",
            "ridge regression on connectivity (partial correlation),",
        ),
        ("ridge_features", "{features: [tangent, motion]}", "on connectivity (tangent space) and head motion, fitted"),
        ("ridge_features", "{features: [tangent, motion]}", "within them (Varoquaux et al. 2010)."),
        ("kernel_ridge", "{features: [spectrum]}", "kernel ridge regression on the similarity of spectra, fitted"),
        ("kernel_ridge", "{features: [spectrum]}", "within them (He et al. 2020)."),
        ("random_convolutions", "{}", "on responses to random convolutions, fitted"),
        ("site_mean", "{}", "by the mean age of the training participants of the same site."),
        ("mine", "{}", "by the baseline mine, fitted on the training participants."),
    ],
)
def test_a_baseline_is_described_by_its_features(findings: Findings, model: str, config: str, words: str) -> None:
    summary = {**SUMMARY, "model": {"name": model, "parameters": 9}}
    assert words in methods(findings, About("Title", [], f"model: {config}", summary=summary, is_baseline=True))


def test_a_baseline_a_table_and_folds_say_what_is_known(findings: Findings) -> None:
    baseline = {**SUMMARY, "model": {"name": "ridge_connectivity", "parameters": 9}}
    text = methods(findings, About("Title", [], CONFIG, summary=baseline, is_baseline=True))
    assert "ridge regression on connectivity (correlation), fitted on the training" in text and "epochs" not in text
    assert methods(findings, About("Title", [])).startswith("In 30 participants (test; age ")
    folds = FoldResults("fold", [Fold(str(number), 20, {}) for number in range(3)])
    text = methods(findings, About("Title", [], CONFIG, summary=SUMMARY, folds=folds))
    assert "were divided into 3 folds, each of which was tested by a network that was trained on others." in text
    assert "3,001" not in text and "Of 28 epochs" not in text


def test_published_errors_have_n_ages_and_a_source_beside_those_of_the_run(findings: Findings) -> None:
    section = field_section(findings, About("Title", []))
    assert section is not None
    (table,) = section.tables
    own, *published = table.rows
    assert own[2] == "30 (test)" and own[4].startswith(
        f"{findings.accuracy.estimates['mae'].value:.2f} (mean predictor"
    )
    assert len(published) > 4 and all(all(cells) for cells in table.rows)
    assert [cells[4] for cells in published if cells[0].startswith("Riedel")] == ["5.43", "5.09"]
    assert field_section(replace(findings, accuracy=replace(findings.accuracy, n=9).described()), About("", [])) is None


def test_groups_and_harmonisation_are_described_with_their_works(findings: Findings) -> None:
    settings = GroupSettings("diagnosis", "control", 777)
    table = pd.DataFrame([{"group": "case", "covariates": "age age^2 head_motion"}])
    config = CONFIG + "harmonize: combat\n"
    about = About("Title", [], config, summary={**SUMMARY, "model": {"name": "ridge_spectrum"}}, is_baseline=True)
    section = methods_section(replace(findings, differences=GroupDifferences(settings, table)), about)
    said = section.texts[0]
    assert "of diagnosis in test participants were compared with those of control" in said
    assert "on group, age, age squared and head motion, with" in said and "777 permutations" in said
    assert "harmonised between sites with ComBat" in said
    for work in ("Freedman & Lane (1983)", "Hedges (1981)", "Johnson, Li & Rabinovic (2007)", "Fortin et al. (2018)"):
        assert any(text.startswith(work) for text in section.texts[1:])
