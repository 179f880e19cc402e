"""Nothing about one participant can be recomputed from the files that are shared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainage.evaluation.against import BaselinePredictions
from brainage.evaluation.analyse import analyse
from brainage.evaluation.conformal import Intervals, fit_conformal
from brainage.evaluation.findings import AnalysisSettings
from brainage.evaluation.group_difference import GroupSettings
from brainage.evaluation.rescans import VISITS, measure_rescans
from brainage.evaluation.training_stats import spread_of
from brainage.reporting.about import About
from brainage.runs.analyse import write_findings
from brainage.trained.bundle import write_bundle
from tests.reidentification.attack import attack, mean_and_sd
from tests.trained.networks import constant

# The target is alone in an age bin, has the highest age, and is the only one with a rare diagnosis.
AGE, PREDICTED, DIAGNOSIS = 88.123456, 71.654321, "neurosarcoidosis"
GAP = PREDICTED - AGE
SHARED = ("findings.json", "gap.csv", "associations.csv", "reliability.csv", "bundle.json", "report.html")


def tables(n: int = 200) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(5)
    age = np.append(rng.uniform(45, 80, n), AGE)
    ids = [f"p{number}" for number in range(n + 1)]
    predicted = np.append(62 + 0.5 * (age[:-1] - 62) + rng.normal(0, 3, n), PREDICTED)
    predictions = pd.DataFrame({"participant_id": ids, "split": None, "age": age, "predicted_age": predicted})
    is_target = np.arange(n + 1) == n
    phenotypes = pd.DataFrame(
        {
            "participant_id": ids,
            "diagnosis": np.where(is_target, DIAGNOSIS, "absent"),
            "case": is_target.astype(float),
            "speed": rng.normal(size=n + 1),
            # The target is the only one of a site, and one of nine of a sex.
            "site": np.where(is_target, "Lonely", np.where(np.arange(n + 1) % 2, "Reading", "Cheadle")),
            "sex": (np.arange(n + 1) > n - 9).astype(float),
        }
    )
    return predictions, phenotypes


@pytest.fixture(scope="module", params=[None, GroupSettings("diagnosis", "absent", 99)], ids=["", "groups"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    predictions, phenotypes = tables()
    settings = AnalysisSettings(rows="all", gap_correction="in_sample", n_resamples=50, groups=request.param)
    table = predictions[["participant_id"]].assign(predicted_age=60.0)
    baselines = [BaselinePredictions(f"of {n}", "ridge", table.head(n)) for n in (201, 200)]  # without the target
    fit = fit_conformal(predictions["age"], predictions["predicted_age"], level=0.9)
    intervals = Intervals(fit.bounds(predictions["predicted_age"]), [fit])
    findings = analyse(predictions, phenotypes, settings, baselines, intervals=intervals)
    assert findings.coverage
    later = predictions.assign(age=predictions["age"] + 2, predicted_age=predictions["predicted_age"] + 1)
    scans = pd.concat([predictions.assign(scan="ses-1"), later.assign(scan="ses-2")])
    rescans = measure_rescans(scans, findings.corrections, kind=VISITS, n_resamples=50, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainage.reporting.figure._saved", lambda canvas, kind, dpi: b"")
        write_findings(folder, findings, About("Title", [("seed", "1")], rescans=rescans))
    ages = spread_of(predictions["age"])
    trained = constant(60.0, ages=ages, series={"kurtosis": ages}, intervals=fit)
    write_bundle(folder / "bundle", trained, {"modality": {}, "model": {}})
    (folder / "bundle" / "bundle.json").rename(folder / "bundle.json")
    return folder


def numbers(plain: Any) -> Iterator[float]:
    if isinstance(plain, dict | list):
        for item in plain.values() if isinstance(plain, dict) else plain:
            yield from numbers(item)
    elif isinstance(plain, int | float):
        yield float(plain)


def test_the_attack_knows_mean_and_sd_of_the_gap(shared: Path) -> None:
    """Otherwise it would prove nothing."""
    predictions, _ = tables()
    gap = predictions["predicted_age"] - predictions["age"]
    saved = json.loads((shared / "findings.json").read_text())
    assert mean_and_sd(saved) == pytest.approx((gap.mean(), gap.std(ddof=0)), abs=1e-9)


def test_the_attack_finds_nothing(shared: Path) -> None:
    assert attack(shared) == {}


def test_the_targets_values_are_in_no_shared_file(shared: Path) -> None:
    for name in ("findings.json", "bundle.json"):
        values = np.array([*numbers(json.loads((shared / name).read_text()))])
        assert not np.isclose(np.abs(values)[:, None], [AGE, PREDICTED, abs(GAP)], atol=1e-3, rtol=0).any()
    for name in ("gap.csv", "associations.csv", "reliability.csv"):
        values = pd.read_csv(shared / name).select_dtypes("number").abs().to_numpy(float)
        assert not np.isclose(values[..., None], [AGE, PREDICTED, abs(GAP)], atol=1e-3, rtol=0).any()
    for name in SHARED:
        text = (shared / name).read_text()
        assert DIAGNOSIS not in text and "Lonely" not in text
        # Not 1988.1 of a DOI.
        assert not any(re.search(rf"(?<!\d){value:.1f}", text) for value in (AGE, PREDICTED))


def test_the_totals_of_the_bins_leave_nobody(shared: Path) -> None:
    bins = pd.read_csv(shared / "gap.csv")
    assert bins["n"].min() >= 10 and bins["bag"].notna().all()
    assert bins["n"].sum() == 201


def test_groups_are_shared_that_leave_nobody(shared: Path) -> None:
    """Otherwise the attack on them would prove nothing."""
    saved = json.loads((shared / "findings.json").read_text())
    assert {group["variable"] for group in saved["groups"]} == {"age"}
    assert saved["sample"]["all"]["n"] == 201 and saved["sample"]["all"]["counts"] == {"site": {"Reading": 100}}


def test_a_rare_category_is_left_out_without_its_count(shared: Path) -> None:
    saved = json.loads((shared / "findings.json").read_text())
    assert saved["left_out"].keys() == {"diagnosis", "case", "sex"}
    assert "diagnosis" not in saved["coding"]
    assert pd.read_csv(shared / "associations.csv")["variable"].tolist() == ["speed", "site"]
    assert not any(
        character.isdigit() for reason in saved["left_out"].values() for character in reason.replace("10", "")
    )
