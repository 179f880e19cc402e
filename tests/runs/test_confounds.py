"""``confounds=FILE``: what is in the table is adjusted for, and is no variable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainage.config.commands.report import ReportAssociationsConfig, ReportCommandConfig, ReportPageConfig
from brainage.errors import BrainageError
from brainage.runs.confounds import check_confounds
from brainage.runs.reanalyse import report_on

pytestmark = pytest.mark.usefixtures("undrawn")
N = 120


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """A table whose gap and ``speed`` both depend on something that only `confounds` has."""
    rng = np.random.default_rng(0)
    age, hidden = rng.uniform(45, 80, N), rng.normal(size=N)
    ids = [f"{number:04d}" for number in range(N)]
    predicted = age + 3 * hidden + rng.normal(size=N)
    speed = hidden + rng.normal(size=N)
    table = pd.DataFrame(
        {"participant_id": ids, "age": age, "predicted_age": predicted, "speed": speed, "bmi": speed**2}
    )
    table.to_csv(tmp_path / "predictions.csv", index=False)
    confounds = pd.DataFrame({"eid": ids, "hidden": hidden, "scanner": rng.choice(["A", "B", "C"], N)})
    confounds.sample(frac=1, random_state=0).to_csv(tmp_path / "confounds.csv", index=False)
    return tmp_path


def report(folder: Path, **given: object) -> pd.DataFrame:
    """Report in a folder; return the associations."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    config = ReportCommandConfig(
        predictions=str(folder / "predictions.csv"),
        gap_correction="in_sample",
        report=ReportPageConfig(n_resamples=100),
        **given,  # type: ignore[arg-type]
    )
    report_on(config, out)
    return pd.read_csv(out / "associations.csv").set_index("variable")


def test_partial_correlations_are_adjusted_for_a_table_of_confounds(predictions: Path) -> None:
    bare, found = report(predictions), report(predictions, confounds=str(predictions / "confounds.csv"))
    assert bare.loc["speed", "r_partial"] > 0.4 > 0.25 > abs(found.loc["speed", "r_partial"])
    assert found.loc["speed", "covariates"] == "age age^2 hidden scanner"
    assert list(found.index) == list(bare.index) == ["speed", "bmi"]
    assert json.loads((predictions / "out" / "findings.json").read_text())["options"]["confounds"] == [
        "hidden",
        "scanner",
    ]


def test_covariates_and_planned_variables_are_chosen(predictions: Path) -> None:
    found = report(predictions, associations=ReportAssociationsConfig(covariates=["bmi"], planned=["speed"]))
    assert found.loc["speed", "covariates"] == "age age^2 bmi"
    assert found["family"].to_dict() == {"speed": "planned", "bmi": "exploratory"}
    assert (found["q_partial"] == found["p_partial"]).all()  # one variable a family
    page = (predictions / "out" / "report.html").read_text()
    assert "planned variable" in page and "SHA-256" in page and "exploratory variable" in page
    for choice, key in (({"covariates": ["bmj"]}, "covariates"), ({"planned": ["sped"]}, "planned")):
        with pytest.raises(BrainageError, match=rf"`associations.{key}` must name columns .* bmi|speed"):
            report(predictions, associations=ReportAssociationsConfig(**choice))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("eid,hidden\n0001,1\n0001,2\n", r"one row per participant, but 1 rows repeat one"),
        ("eid,hidden\n9999,1\n", r"must have participants of the cohort, but none of its 1 ids"),
        ("eid,speed\n0001,1\n", r"columns that the cohort's table lacks, but both have `speed`"),
        ("name,hidden\n0001,1\n", r"must have a column of ids .* and no ids"),
        ("eid\n0001\n", r"columns to adjust for, but has 1 columns"),
        (None, r"must be a table, but does not exist.*confounds=FILE"),
    ],
    ids=["twice", "others", "shared", "no-ids", "ids-only", "missing"],
)
def test_a_table_that_cannot_be_used_is_a_mistake(predictions: Path, content: str | None, message: str) -> None:
    path = predictions / "wrong.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BrainageError, match=message) as raised:
        report(predictions, confounds=str(path))
    assert "0001" not in str(raised.value) and "9999" not in str(raised.value)
    if content is None:
        with pytest.raises(BrainageError, match=message):
            check_confounds(str(path))
