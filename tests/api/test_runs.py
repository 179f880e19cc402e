"""Runs in Python: loaded, trained, and their predictions merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import brainage as ba
from brainage.api.training import TrainingError
from brainage.errors import EvaluationError, MissingPathError
from tests.conftest import FAST
from tests.data.cohorts.examples import book


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ba.LoadedRun:
    folder = tmp_path_factory.mktemp("notebook")
    words = [*FAST, "model.depth=1", f"hydra.run.dir={folder / 'run'}", f"store.root={folder / 'store'}"]
    return ba.train(words, quiet=True)


def test_a_run_that_is_trained_has_its_results(run: ba.LoadedRun) -> None:
    assert list(run.predictions.columns) == ["participant_id", "split", "age", "predicted_age", "bag"]
    assert run.splits.value_counts().to_dict() == {"train": 32, "val": 4, "test": 4}
    assert run.metrics["test"]["mae"] == pytest.approx(
        run.predictions.query("split == 'test'")["bag"].abs().mean(), rel=1e-6
    )
    assert run.config["model"]["depth"] == 1
    assert len(run.epochs) == 1
    assert repr(run) == "<brainage.LoadedRun variable1dcnn, ica25: 32 training, 4 test participants>"
    assert not any(participant in repr(run) for participant in run.splits.index)


@pytest.mark.filterwarnings("ignore:The")
def test_its_network_predicts_arrays(run: ba.LoadedRun) -> None:
    with torch.inference_mode():
        assert run.network()(torch.zeros(2, 21, 490)).shape == (2, 1)
    series = np.random.default_rng(0).standard_normal((3, 500, 25))
    assert len(run.bundle.predict(series, t_r=0.735)) == 3


def test_a_folder_without_a_run_and_a_training_that_fails_say_why(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="must be the folder of a finished run"):
        ba.load_run(tmp_path)
    with pytest.raises(TrainingError, match=r"ended with 2:\n(.|\n)*`model\.depth`"):
        ba.train(["model.depth=0", f"hydra.run.dir={tmp_path / 'run'}"], quiet=True)


def test_predictions_merge_onto_participants_with_their_zeros(run: ba.LoadedRun, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    run.predictions.assign(participant_id=[f"{number:04d}" for number in range(40)]).to_csv(path, index=False)
    read = ba.read_predictions(path, ids="bids")
    participants = pd.DataFrame({"participant_id": [f"sub-{number:04d}" for number in range(0, 40, 2)], "group": "a"})
    merged = participants.merge(read, on="participant_id")
    assert len(merged) == 20
    np.testing.assert_allclose(merged["bag"], run.predictions["bag"][::2])
    assert ba.read_predictions(path)["participant_id"][3] == "0003"
    rows = [["n_eid", "age", "predicted_age", "group"], ["007", 60, 61.5, "a"], ["008", 70, 69, "b"]]
    (tmp_path / "made.xlsx").write_bytes(book(rows))
    assert ba.read_predictions(tmp_path / "made.xlsx").to_numpy().tolist() == rows[1:]
    with pytest.raises(EvaluationError, match="must be plain or bids"):
        ba.read_predictions(path, ids="ukb")


def test_findings_are_those_of_any_table(run: ba.LoadedRun) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"age": rng.uniform(40, 80, 60), "sex": ["M", "F"] * 30, "grip": rng.normal(size=60)})
    table["predicted_age"] = table["age"] * 0.8 + 12 + table["grip"]
    found = ba.analyze(table, n_resamples=100)
    assert found.settings.gap_correction == "in_sample"
    assert found.associations.table.set_index("variable").loc["grip", "r"] > 0.2
    assert "sex" in set(found.associations.table["variable"])
    assert ba.analyze(run.predictions, rows="test", n_resamples=100).settings.rows == "test"
    with pytest.raises(EvaluationError, match="lacks predicted_age"):
        ba.analyze(table[["age"]])
