"""Files and facts of an analysis, from predictions and a summary that are written here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import AnalysisSettings
from brainage.reporting.about import About
from brainage.runs.analyse import PEOPLE_KEY, about_run, write_findings

CONFIG = (
    "optimizer: {_target_: torch.optim.AdamW, lr: 0.001}\nbatch_size: 8\nrecipe: {circular_shift: false, cutmix: 1}\n"
)


def summary(model: str) -> dict[str, Any]:
    return {
        "model": {"name": model, "parameters": 12345},
        "cohort": {"name": "ukb", "n_participants": 5902, "fingerprint": "f00d"},
        "n": {"train": 4721, "val": 590, "test": 591},
        "seed": 7,
        "epochs": 30,
        "best_epoch": 21,
        "seconds": {"ingest": 1.0, "fit": None, "total": 62.25},
        "commit": None,
        "versions": {"torch": "2.6"},
    }


def predictions(n: int = 30) -> pd.DataFrame:
    ages = np.linspace(45.0, 80.0, n)
    table = pd.DataFrame({"participant_id": [f"p{i}" for i in range(n)], "age": ages})
    error = np.random.default_rng(1).normal(0, 3, n)
    return table.assign(split=["train", "val", "test"] * (n // 3), predicted_age=60 + 0.5 * (ages - 60) + error)


@pytest.mark.parametrize(("model", "has_epochs"), [("variable1dcnn", True), ("ridge_connectivity", False)])
def test_only_a_network_has_facts_of_its_training(model: str, has_epochs: bool, tmp_path: Path) -> None:
    about = about_run(tmp_path, summary(model), CONFIG, "all")
    facts = dict(about.facts)
    assert about.title == f"{model}, cohort ukb"
    assert facts["participants"] == "train 4721, val 590, test 591"
    assert facts["time"] == "ingest 1.0 s, total 62.2 s"  # without the step that was not timed
    assert facts["commit"] == "unknown"
    assert ("epochs" in facts, "training" in facts) == (has_epochs, has_epochs)
    assert about.augmented and about.best_epoch == 21


@pytest.mark.parametrize(
    ("modality", "t_r", "expected"),
    [
        (
            "{name: ica25, dimension: 25, n_channels: 21, n_times: 490, t_r: 0.735}",
            {"train": {"2": 20, "0.8": 15, "3": 4}, "test": {}},
            {"modality": "ica25", "channels": "21 of 25", "time points": "490", "repetition time": "0.8 s, 2 s, other"},
        ),
        ("{name: parcels, t_r: 2}", {}, {"modality": "parcels", "repetition time": "2 s"}),
        ("{}", {}, {}),
    ],
    ids=["all", "unnamed channels", "nothing known"],
)  # fmt: skip
def test_the_facts_at_the_top_are_those_of_series_recipe_and_cohort(
    modality: str, t_r: dict[str, Any], expected: dict[str, str], tmp_path: Path
) -> None:
    config = f"recipe: {{name: modern}}\nmodality: {modality}\n"
    about = about_run(tmp_path, {**summary("variable1dcnn"), "t_r": t_r}, config, "none")
    shown = {"model": "variable1dcnn, 12,345 parameters", "recipe": "modern", "cohort": "ukb, 5,902 participants"}
    assert dict(about.key_facts) == shown | expected


@pytest.mark.parametrize(
    ("parts", "modality", "expected"),
    [
        ({}, "{t_r: 0.735}", None),
        ({"train": {"0.735": 80}, "test": {"0.735": 10}}, "{t_r: 0.735}", "0.735 s"),
        ({"train": {"unknown": 80}}, "{t_r: 0.735}", "unknown; 0.735 s is assumed"),
        (
            {"train": {"1": 80, "2": 9, "3": 9}, "test": {"2": 10}},
            "{t_r: null}",
            "train 1 s (80), other (18); test 2 s (10)",
        ),
        ({"train": {"1": 80}}, "{t_r: 2.0, resample: true}", "1 s; resampled to 2 s"),
    ],
    ids=["of an earlier version", "one", "unknown", "several", "resampled"],
)
def test_repetition_times_are_a_fact(
    parts: dict[str, Any], modality: str, expected: str | None, tmp_path: Path
) -> None:
    run = {**summary("variable1dcnn"), **({"t_r": parts} if parts else {})}
    about = about_run(tmp_path, run, f"{CONFIG}modality: {modality}\n", "none")
    assert dict(about.facts).get("repetition time") == expected


def test_exclusions_are_counted_by_kind_and_the_curves_are_read(tmp_path: Path) -> None:
    reasons = ["too short: 300 time points", "NaN or infinity", "too short: 12 time points"]
    pd.DataFrame({"participant_id": ["a", "b", "c"], "reason": reasons}).to_csv(
        tmp_path / "exclusions.csv", index=False
    )
    (tmp_path / "metrics.csv").write_text("epoch,val/loss\n0,90.5\n1,80.5\n")
    about = about_run(tmp_path, summary("variable1dcnn"), CONFIG, "all")
    assert about.exclusions == {"too short": 2, "NaN or infinity": 1}
    assert about.curves is not None and about.curves["val/loss"].tolist() == [90.5, 80.5]


def test_findings_are_tables_json_and_a_page(tmp_path: Path, undrawn: None) -> None:
    table = predictions()
    found = analyse(table, table[["participant_id"]], AnalysisSettings(n_resamples=50))
    about = about_run(tmp_path, summary("variable1dcnn"), CONFIG, "all")
    write_findings(tmp_path, found, about)
    names = ("predictions.csv", "associations.csv", "gap.csv", "findings.json", "report.html")
    assert all((tmp_path / name).is_file() for name in names)
    written = pd.read_csv(tmp_path / "predictions.csv")
    assert written["bag"].tolist() == pytest.approx((table["predicted_age"] - table["age"]).tolist())
    assert "NaN" not in (tmp_path / "findings.json").read_text()
    json.loads((tmp_path / "findings.json").read_text())

    write_findings(tmp_path, found, about, table[["participant_id"]])  # `predict` writes its own table
    assert list(pd.read_csv(tmp_path / "predictions.csv")) == ["participant_id"]


@pytest.mark.usefixtures("undrawn")
def test_hashes_of_participants_can_be_compared_within_one_outputs_folder_only(tmp_path: Path) -> None:
    table = predictions(300)
    settings = AnalysisSettings(gap_correction="linear", n_resamples=50)
    found = analyse(table, table[["participant_id"]], settings)

    def written(place: str) -> str:
        folder = tmp_path / place
        folder.mkdir(parents=True)
        write_findings(folder, found, About("Title", [("seed", "1")]))
        people: str = json.loads((folder / "findings.json").read_text())["gap_correction"][0]["people"]
        return people

    first, again, other = written("a/outputs/train/day/1"), written("a/outputs/report/day/2"), written("b/run")
    assert first == again != other
    assert found.corrections[0].people not in (first, other)
    keys = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(PEOPLE_KEY)]
    assert sorted(keys) == [f"a/outputs/{PEOPLE_KEY}", f"b/{PEOPLE_KEY}"]
