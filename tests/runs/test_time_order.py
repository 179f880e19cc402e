"""The test of a run's network on series in other orders of time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainage.api.runs import load_run
from brainage.commands import bundle
from brainage.commands.explained import series
from brainage.data.time_order import ORDERS, reordered
from brainage.errors import EvaluationError
from brainage.runs.time_order import TIME_ORDER, read_time_order
from brainage.trained.ensemble import read_sample
from brainage.trained.load import read_trained
from tests.conftest import train_here

SMALL = (
    *("cohort.n_participants=100", "modality.n_times=120", "batch_size=32", "trainer.max_epochs=2"),
    *("model.depth=1", "model.start_out=4", "report.n_resamples=100", "optimizer.lr=0.01"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_here(tmp_path_factory.mktemp("order") / "run", *SMALL)


def test_a_run_has_the_errors_in_each_order_in_a_table_without_ids_and_on_its_page(run: Path) -> None:
    found, predictions = read_time_order(run), pd.read_csv(run / "predictions.csv", dtype=str)
    pd.testing.assert_frame_equal(load_run(run).time_order, found)
    assert found is not None and list(found["order"]) == list(ORDERS) and set(found["n"]) == {10}
    own = pd.read_csv(run / "predictions.csv").query("split == 'test'")["bag"].abs().mean()
    assert found["mae"].to_list() == pytest.approx((own + found["mae_difference"]).to_list())
    assert (found["change"] > 0).all()
    text, page = (run / TIME_ORDER).read_text(), (run / "report.html").read_text()
    assert not any(one in text for one in predictions["participant_id"])
    assert "to the order of time: MAE" in page and "<h2>Order of time</h2>" in page


def test_the_error_is_that_of_the_network_on_the_changed_series_of_test_participants(run: Path) -> None:
    network = read_trained(run, "run")
    assert network.run is not None
    own = network.run.predictions.query("split == 'test'").set_index("participant_id")
    participants = read_sample(network.run.config.cohort, network, network.run.config.store.root).participants
    tested = participants.where(participants.table["participant_id"].isin(own.index).to_numpy())
    backwards = torch.from_numpy(series(tested)[:, :, ::-1].copy())
    predicted = network.network()(backwards).squeeze(1).numpy()
    found = pd.read_csv(run / TIME_ORDER).set_index("order").loc["reversed"]
    age = own.loc[tested.table["participant_id"], "age"].to_numpy()
    assert found["mae"] == pytest.approx(abs(predicted - age).mean(), abs=1e-4)


@pytest.fixture(scope="module")
def shuffled(run: Path) -> Path:
    return train_here(run.with_name("shuffled"), *SMALL, "recipe.shuffle_time=true")


def test_a_network_of_shuffled_time_points_predicts_from_shuffled_ones_in_any_batch(run: Path, shuffled: Path) -> None:
    own, plain = (pd.read_csv(one / "predictions.csv", dtype={"participant_id": str}) for one in (shuffled, run))
    assert (own["predicted_age"] != plain["predicted_age"]).all()
    network = read_trained(shuffled, "run")
    assert network.run is not None
    cohort, store = network.run.config.cohort, network.run.config.store.root
    participants = read_sample(cohort, network, store).participants
    predicted = pd.Series(network.predict(participants, batch_size=7), participants.table["participant_id"])
    expected = own.set_index("participant_id")["predicted_age"]
    np.testing.assert_allclose(predicted[expected.index], expected, atol=1e-4)
    explained = series(replace(participants, shuffle_seed=network.shuffle_seed))
    np.testing.assert_array_equal(explained, reordered(series(participants), "shuffled", network.run.config.seed))
    ordered = replace(network, shuffle_seed=None).predict(participants)
    assert abs(ordered - predicted.to_numpy()).max() > 0.01
    page = (shuffled / "report.html").read_text()
    assert "In training and in predictions, the time points" in page and "cutmix, shuffled time points" in page


def test_a_network_of_shuffled_time_points_is_not_exported(
    shuffled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bundle.main(["export", "--run", str(shuffled), "--out", str(tmp_path / "bundle")]) == 2
    said = capsys.readouterr().err
    assert f"`run={shuffled}` must be trained on time points in their order" in said
    assert "recipe.shuffle_time=true" in said and "predict" in said and not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("content", ["order,n\nreversed,3\n", "\0", "mae,low,high,p,change,n,order,mae_difference\nx,"])
def test_a_damaged_table_is_one_message(tmp_path: Path, content: str) -> None:
    (tmp_path / TIME_ORDER).write_text(content)
    with pytest.raises(EvaluationError, match=r"time_order\.csv` cannot be read: .* Restore it\."):
        read_time_order(tmp_path)


def test_a_run_without_the_table_has_none(tmp_path: Path) -> None:
    assert read_time_order(tmp_path) is None
