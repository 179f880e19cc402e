"""Reanalysis of pooled folds and of tables; ``tests/commands/test_report.py`` runs the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import DictConfig

from brainage.config.commands.report import ReportCommandConfig, ReportPageConfig
from brainage.errors import EvaluationError, MissingPathError
from brainage.runs.job import config_text
from brainage.runs.multirun_table import finish_multirun
from brainage.runs.reanalyse import report_on
from tests.conftest import FAST, train_here

pytestmark = pytest.mark.usefixtures("undrawn")
N = 240
SUMMARY = {
    "status": "finished",
    "model": {"name": "variable1dcnn", "parameters": 1234},
    "cohort": {"name": "simulated", "n_participants": N},
    "n": {"train": 10, "val": 100, "test": 120},
    "metrics": {"test": {"mae": 3.25}},
    "epochs": 3,
    "best_epoch": 1,
}
Fold = Callable[..., Path]


@pytest.fixture
def fold(composed: Callable[..., DictConfig], tmp_path: Path) -> Fold:
    """Write the folder of a finished fold that tested some of the simulated participants; return the multirun's."""

    def write(number: int, tested: range, *, n_val: int = 100, repeat: int | None = None) -> Path:
        folder = tmp_path / "folds" / str(number)
        folder.mkdir(parents=True)
        drawn = ("split=kfold",) if repeat is None else ("split=repeated_kfold", f"split.repeat={repeat}")
        words = (f"cohort.n_participants={N}", *drawn, f"split.fold={number % 2}", "split.n_folds=2")
        (folder / "config.yaml").write_text(config_text(composed(*words)))
        (folder / "summary.json").write_text(json.dumps(SUMMARY))
        others = [i for i in range(N) if i not in tested]
        split = {i: "test" for i in tested} | {i: "val" if i in others[:n_val] else "train" for i in others}
        ages = np.linspace(46.0, 80.0, N)
        predicted = 0.5 * ages + 31 + np.random.default_rng(number).normal(0, 2, N)
        rows = [(f"sim{i:06d}", split[i], ages[i], predicted[i]) for i in range(N)]
        table = pd.DataFrame(rows, columns=["participant_id", "split", "age", "predicted_age"])
        table.to_csv(folder / "predictions.csv", index=False)
        table.query("split == 'test'").to_csv(folder.parent / "pooled_predictions.csv", index=False)
        return folder.parent

    return write


def findings(folder: Path, **given: Any) -> dict[str, Any]:
    """Report in a folder; return ``findings.json``."""
    folder.mkdir(exist_ok=True)
    report_on(ReportCommandConfig(report=ReportPageConfig(n_resamples=100), **given), folder)
    found: dict[str, Any] = json.loads((folder / "findings.json").read_text())
    return found


def test_each_fold_is_corrected_by_its_own_validation_participants(fold: Fold, tmp_path: Path) -> None:
    fold(0, range(120))
    found = findings(tmp_path / "out", run=str(fold(1, range(120, N))))
    assert [fit["fitted_on"] for fit in found["gap_correction"]] == ["validation of fold 0", "validation of fold 1"]
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == N
    associations = pd.read_csv(tmp_path / "out" / "associations.csv")
    assert all("fold" in row.split() for row in associations["covariates"])
    assert "fold" not in set(associations["variable"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "mean ± SD of 2 folds</span><strong>3.25 ± 0.00</strong>" in page and "<dd>21 of 25</dd>" in page


@pytest.mark.more
def test_draws_of_folds_are_averaged_and_each_is_corrected_by_its_own_fits(fold: Fold, tmp_path: Path) -> None:
    tested = [range(120), range(120, N), range(0, N, 2), range(1, N, 2)]
    for number, these in enumerate(tested):
        folds = fold(number, these, repeat=number // 2)
        (folds / str(number) / ".hydra").mkdir()
        (folds / str(number) / ".hydra" / "overrides.yaml").write_text(
            f"- split=repeated_kfold\n- split.n_folds=2\n- split.repeat={number // 2}\n- split.fold={number % 2}\n"
        )
    (folds / "pooled_predictions.csv").unlink()
    found = findings(tmp_path / "out", run=str(folds))
    fits = found["gap_correction"]
    expected = [f"validation of fold {number} of draw {repeat}" for repeat in range(2) for number in range(2)]
    assert [fit["fitted_on"] for fit in fits] == expected
    table = pd.read_csv(tmp_path / "out" / "predictions.csv").set_index("participant_id").sort_index()
    each = [pd.read_csv(folds / str(number) / "predictions.csv").query("split == 'test'") for number in range(4)]
    each = [one.assign(gap=one["predicted_age"] - one["age"] - fit["intercept"] - fit["slope"] * one["age"])
            for one, fit in zip(each, fits, strict=True)]  # fmt: skip
    means = pd.concat(each).groupby("participant_id")[["predicted_age", "gap"]].mean()
    assert len(table) == N
    np.testing.assert_allclose(table["predicted_age"], means["predicted_age"])
    np.testing.assert_allclose(table["bag_corrected"], means["gap"])
    assert "predicted_age_low" not in table and "mean over draws" in found["intervals"]["unavailable"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "mean over 2 draws of 2 folds</h1>" in page and "mean over 2 draws of 2 folds</span><strong>3.25" in page
    assert "Each prediction is the mean of 2 trainings" in page and "were divided into 2 folds 2 times" in page
    # Jobs of other models are no draws.
    path = folds / "3" / ".hydra" / "overrides.yaml"
    path.write_text(path.read_text() + "- model.depth=3\n")
    with pytest.raises(EvaluationError, match="split.fold=1 is missing of 2 folds|are not folds of one model"):
        findings(tmp_path / "other", run=str(folds))


@pytest.mark.more
def test_the_ridge_of_the_comparison_is_pooled_over_folds_as_the_network_is(tmp_path: Path) -> None:
    folds, n_folds = tmp_path / "folds", 2
    for number in range(n_folds):
        words = ("split=kfold", f"split.fold={number}", f"split.n_folds={n_folds}", "split.val_fraction=0.25")
        own = (*FAST, "cohort.n_participants=160", "report.n_resamples=100", *words)
        overrides = train_here(folds / str(number), *own) / ".hydra" / "overrides.yaml"
        overrides.parent.mkdir()
        overrides.write_text("".join(f"- {word}\n" for word in own))
    finish_multirun(folds)
    found = findings(tmp_path / "out", run=str(folds))
    each = [json.loads((folds / str(number) / "findings.json").read_text()) for number in range(n_folds)]
    for name in ("ridge_features", "site_mean", "ridge_motion"):
        of_folds = [next(one for one in own["baselines"] if one["name"] == name) for own in each]
        n = [one["difference"]["n"] for one in of_folds]
        pooled = next(one for one in found["baselines"] if one["name"] == name)
        assert pooled["difference"]["n"] == sum(n) == 160
        for value in (lambda one: one["mae"], lambda one: one["difference"]["mae"]["value"]):
            assert value(pooled) == pytest.approx(np.average([value(one) for one in of_folds], weights=n))


@pytest.mark.more
def test_a_fold_with_too_few_validation_participants_is_a_note_unless_a_correction_is_requested(
    fold: Fold, tmp_path: Path
) -> None:
    fold(0, range(120))
    folds = str(fold(1, range(120, N), n_val=2))
    found = findings(tmp_path / "out", run=folds)
    assert found["gap_correction"] == []
    assert any(note.startswith("No corrected gap: ") for note in found["notes"])
    with pytest.raises(EvaluationError):
        findings(tmp_path / "out", run=folds, gap_correction="linear")


@pytest.mark.more
def test_crossfit_corrects_each_fold_by_the_participants_of_the_others(fold: Fold, tmp_path: Path) -> None:
    fold(0, range(120))
    folds = str(fold(1, range(120, N), n_val=2))
    found = findings(tmp_path / "out", run=folds, gap_correction="crossfit")
    assert [(fit["fitted_on"], fit["n"]) for fit in found["gap_correction"]] == [
        *(("held-out", N), ("held-out without fold 0", 120), ("held-out without fold 1", 120))
    ]
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    first, second = table.iloc[:120], table.iloc[120:]
    slope, intercept = np.polyfit(second["age"], second["bag"], 1)
    assert first["bag_corrected"].to_numpy() == pytest.approx(first["bag"] - intercept - slope * first["age"], abs=1e-9)
    assert [note for note in found["notes"] if note.startswith("With batch_size=64, ")] == found["notes"][:1]
    assert "cross-fitting" in (tmp_path / "out" / "report.html").read_text()


def test_folds_must_test_each_participant_once(fold: Fold, tmp_path: Path) -> None:
    fold(0, range(120))
    with pytest.raises(EvaluationError, match="each participant once.* 2 runs"):
        findings(tmp_path / "out", run=str(fold(1, range(119, N))))


def test_pooled_predictions_without_their_runs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pooled_predictions.csv").write_text("")
    with pytest.raises(EvaluationError, match="there are none.*gap_correction=in_sample"):
        findings(tmp_path / "out", run=str(tmp_path))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="`predictions=.*none.csv`"):
        findings(tmp_path / "out", predictions=str(tmp_path / "none.csv"))


def test_the_command_lines_settings_apply_to_a_table(tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    ages = np.linspace(46.0, 80.0, N)
    errors = np.random.default_rng(3).normal(0, 2, N)
    ids = [f"p{i}" for i in range(N)]
    pd.DataFrame({"participant_id": ids, "age": ages, "predicted_age": 31 + 0.5 * ages + errors}).to_csv(path)
    found = findings(tmp_path / "out", predictions=str(path), gap_correction="in_sample", seed=5)
    assert [(fit["method"], fit["n"]) for fit in found["gap_correction"]] == [("in_sample", N)]
    assert "made.csv" in (tmp_path / "out" / "report.html").read_text()


def test_folds_that_have_not_finished_are_named(fold: Fold, tmp_path: Path) -> None:
    folds = fold(0, range(120))
    assert fold(1, range(120, N)) == folds
    for number in range(2):
        (folds / str(number) / ".hydra").mkdir()
        (folds / str(number) / ".hydra" / "overrides.yaml").write_text(f"- split=kfold\n- split.fold={number}\n")

    def refused() -> str:
        with pytest.raises(EvaluationError, match=rf"`run={folds}` .* not pooled: .*run={folds}/0\.") as raised:
            report_on(ReportCommandConfig(run=str(folds)), tmp_path / "out")
        return str(raised.value)

    (folds / "1" / "summary.json").unlink()
    assert f"split.fold=1 did not finish. The multirun's command with hydra.sweep.dir={folds}" in refused()
    shutil.rmtree(folds / "1")
    assert "split.fold=1 is missing of 2 folds" in refused()  # though there are pooled predictions
    (folds / "0" / ".hydra" / "overrides.yaml").write_text("- seed=1\n")
    (folds / "pooled_predictions.csv").unlink()
    assert "its jobs are not folds of one model" in refused()
