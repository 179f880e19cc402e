"""The learning curves of a multirun over the number of training participants."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.reporting.learning_section import learning_section
from brainage.runs.learning_curves import finish_learning_curves
from tests.conftest import ROOT

CONFIG = ROOT / "tests/written_at_2a22c97/multirun/folds/0/.hydra/config.yaml"
SIZES = {"20": 20, "40": 40, "80": 80, "all": 150}


def jobs(folder: Path, models: tuple[str, ...] = ("a",), n_test: int = 30) -> list[dict[str, Any]]:
    """Write finished jobs of some sizes and two seeds, and return their rows."""
    rows: list[dict[str, Any]] = []
    rng = np.random.default_rng(0)
    for model in models:
        for size, n_train in SIZES.items():
            for seed in (1, 2):
                job = folder / str(len(rows))
                job.mkdir(parents=True)
                age = np.linspace(45, 80, n_test)
                error = rng.normal(0, 3 + 20 / n_train**0.5, n_test)
                table = pd.DataFrame({"participant_id": range(n_test), "split": "test", "age": age})
                table.assign(predicted_age=age + error).to_csv(job / "predictions.csv", index=False)
                (job / "summary.json").write_text(json.dumps({"status": "finished", "n": {"train": n_train}}))
                shutil.copy(CONFIG, job / "config.yaml")
                words = [f"model={model}", f"split.n_train={size}", f"seed={seed}", "cohort=simulated"]
                rows.append({"job": job.name, "overrides": words, "status": "finished"})
    return rows


def test_jobs_of_several_sizes_end_with_a_curve_and_what_to_expect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = jobs(tmp_path)
    (curve,) = finish_learning_curves(tmp_path, rows)
    written = list(csv.DictReader(io.StringIO((tmp_path / "learning_curve.csv").read_text())))
    assert [(row["n_train"], row["trainings"]) for row in written] == [
        ("20", "2"),
        ("40", "2"),
        ("80", "2"),
        ("150", "2"),
    ]
    errors = [pd.read_csv(tmp_path / job / "predictions.csv").eval("abs(predicted_age - age)").mean() for job in "01"]
    assert float(written[0]["mae"]) == pytest.approx(np.mean(errors))
    assert f"Learning curve: With 10,000 people expect {curve.expected.value:.2f} years" in capsys.readouterr().out
    section = learning_section(curve)
    assert [row[0] for row in section.tables[0].rows] == ["20", "40", "80", "150"]
    assert [row[0] for row in section.tables[1].rows] == ["floor", "scale", "exponent"]
    assert "150: " in section.figures[0].alt


def test_models_have_curves_of_their_own_and_other_jobs_have_none(tmp_path: Path) -> None:
    rows = jobs(tmp_path, models=("a", "b"))
    assert [curve.name for curve in finish_learning_curves(tmp_path, rows)] == ["model=a", "model=b"]
    assert finish_learning_curves(tmp_path, [row for row in rows if "split.n_train=20" in row["overrides"]]) == []


@pytest.mark.parametrize("unfit", ["few", "unfinished"])
def test_jobs_that_may_not_be_shown_are_left_out(unfit: str, tmp_path: Path) -> None:
    rows = jobs(tmp_path, n_test=9 if unfit == "few" else 30)
    if unfit == "unfinished":
        rows = [{**row, "status": "failed"} for row in rows]
    assert finish_learning_curves(tmp_path, rows) == []
    assert not (tmp_path / "learning_curve.csv").exists()


def test_a_curve_of_two_sizes_is_drawn_and_not_extrapolated(tmp_path: Path) -> None:
    rows = [row for row in jobs(tmp_path) if row["overrides"][1] in ("split.n_train=20", "split.n_train=all")]
    (curve,) = finish_learning_curves(tmp_path, rows)
    section = learning_section(curve)
    assert len(section.tables) == 1 and "needs 4 sizes or more" in section.texts[0]
