"""Second visits and split halves from the command line: the files, the report, and predictions."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest

from brainage.commands.predict import predict
from brainage.commands.report import report
from brainage.commands.simulate import main
from brainage.errors import EvaluationError
from brainage.evaluation.findings import Findings
from brainage.runs.purge_tables import purge_table
from brainage.runs.rescans import read_rescans
from tests.conftest import run_here, train_here

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = ("report.n_resamples=100", "gap_correction=crossfit")


def reliability(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "reliability.csv").set_index(["of", "measure"])


def with_ids(folder: Path, name: str) -> pd.DataFrame:
    """Join a table that names rows with the ids in ``predictions.csv``."""
    ids = pd.read_csv(folder / "predictions.csv", dtype={"participant_id": str})["participant_id"]
    table = pd.read_csv(folder / name)
    assert list(table.columns)[:2] == ["row", "scan"]
    return table.assign(participant_id=ids.iloc[table["row"] - 1].to_numpy())


@pytest.mark.more
def test_visits_of_uk_biobank_are_predicted_each_and_compared(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert main(["--layout", "ukb", "--version", "2", "--participants", "90", "--out", str(data)]) == 0
    cohort = ("cohort=ukb", f"cohort.root={data / 'bulk'}", f"cohort.phenotypes={data / 'phenotypes.csv'}")
    words = (*SMALL, *cohort, "cohort.instance=[2,3]", "model=ridge_connectivity")
    run = train_here(tmp_path / "run", *words, "split.val_fraction=0.1", "split.train_fraction=0.3")
    scans = with_ids(run, "scans.csv")
    counts = scans["participant_id"].value_counts()
    assert set(counts) == {1, 2} and (scans.groupby("participant_id")["split"].nunique() == 1).all()
    tested = scans[scans["split"] == "test"]
    n = int((tested["participant_id"].value_counts() == 2).sum())
    found = reliability(run)
    assert n >= 10 and found.loc[("bag", "icc_agreement"), "n"] == n
    wide = tested[tested["participant_id"].isin(counts.index[counts == 2])].pivot(
        index="participant_id", columns="scan", values="predicted_age"
    )
    older = (wide["instance-3"] > wide["instance-2"]).mean()
    assert found.loc[("predicted_age", "later_is_older"), "value"] == pytest.approx(older)
    page = (run / "report.html").read_text()
    assert f"Two visits of {n} of the analysed participants" in page and "counts this real ageing" in page

    assert run_here(report, "report", tmp_path / "report", f"run={run}", "report.n_resamples=100") == 0
    pd.testing.assert_frame_equal(reliability(tmp_path / "report"), found)
    new = (f"run={run}", *cohort, "cohort.instance=[2,3]", "match_ids=false", "report.n_resamples=100", "device=cpu")
    assert run_here(predict, "predict", tmp_path / "new", *new) == 0
    both = with_ids(tmp_path / "new", "scans.csv")
    merged = both.merge(scans, on=["participant_id", "scan"], suffixes=("", "_of_run"))
    assert len(merged) == len(scans) == len(both)
    assert merged["predicted_age"].to_numpy() == pytest.approx(merged["predicted_age_of_run"].to_numpy(), abs=1e-4)
    assert reliability(tmp_path / "new").loc[("bag", "error"), "n"] == (counts == 2).sum()


@pytest.mark.more
@pytest.mark.parametrize(
    "model",
    [
        ("model=ridge_features",),
        ("model=variable1dcnn", "model.readout=global_average", "trainer.max_epochs=1", "batch_size=8", "trainer=cpu"),
    ],
    ids=["ridge", "network"],
)
def test_halves_of_one_scan_are_compared(model: tuple[str, ...], tmp_path: Path) -> None:
    split = ("split.train_fraction=0.5", "split.val_fraction=0.25")
    run = train_here(tmp_path / "outputs" / "run", *SMALL, *model, "cohort.n_participants=60", *split)
    halves = pd.read_csv(run / "halves.csv")
    assert list(halves["scan"][:2]) == ["half-1", "half-2"] and set(halves["split"]) == {"test"}
    found = reliability(run)
    assert set(found["scans"]) == {"halves"} and found.loc[("predicted_age", "error"), "n"] == len(halves) / 2
    assert ("bag", "change_per_year") not in found.index
    assert "The first and the second half of one scan of 15" in (run / "report.html").read_text()
    summary = json.loads((run / "summary.json").read_text())
    assert not [note for note in summary["notes"] if "halves" in note]
    # Participants who withdraw leave this table, too, and the others are named as before.
    named = with_ids(run, "halves.csv")
    one = named["participant_id"][0]
    assert purge_table(run / "predictions.csv", [one]) == [one]
    pd.testing.assert_frame_equal(
        with_ids(run, "halves.csv").drop(columns="row"),
        named[named["participant_id"] != one].drop(columns="row").reset_index(drop=True),
    )
    words = (f"run={run}", "report.n_resamples=100")
    assert run_here(report, "report", tmp_path / "report", *words) == 0
    again = reliability(tmp_path / "report")
    assert again.loc[("predicted_age", "error"), "n"] == len(halves) / 2 - 1
    # Earlier versions wrote ids.
    with_ids(run, "halves.csv").drop(columns="row").to_csv(run / "halves.csv", index=False)
    assert run_here(report, "report", tmp_path / "earlier", *words) == 0
    pd.testing.assert_frame_equal(reliability(tmp_path / "earlier"), again)
    assert purge_table(run / "halves.csv", [named["participant_id"][2]]) == [named["participant_id"][2]] * 2


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"participant_id,scan,split,age\nsim1,1,test,60\n", "lacks predicted_age"),
        (b"participant_id,scan,split,age,predicted_age\nsim1,1,test,60,old\n", "cannot be read as a table"),
        (b"participant_id,scan,split,age,predicted_age\nsim1,1,test,60,inf\n", "1 of 1 rows have no age or"),
        (b"row,scan,split,age,predicted_age\n1,1,test,60,60\n3,1,test,60,60\n", "1 of 2 rows name no such row"),
        (b"\xff\xfe\x00", "cannot be read as a table"),
        (b"", "cannot be read as a table"),
    ],
    ids=["a column", "a word", "no number", "a row", "bytes", "empty"],
)
def test_a_damaged_table_of_scans_is_one_message(content: bytes, fact: str, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("participant_id,split\nsim1,test\n")
    (tmp_path / "halves.csv").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"halves.csv` must be the table") as raised:
        read_rescans(tmp_path, Mock(Findings))  # read before anything is compared
    assert fact in str(raised.value) and "sim1" not in str(raised.value)
