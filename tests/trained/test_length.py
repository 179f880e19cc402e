"""Networks that get series of another length than in their training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from brainage.errors import EvaluationError, ImpossibleArchitectureError
from brainage.trained.ensemble import Ensemble, shape_of
from brainage.trained.length import of_length
from brainage.trained.network import Architecture, Trained
from tests.trained.networks import MODALITY, constant, sample

POOLED: dict[str, Any] = {
    "in_channels": 3, "n_times": 500, "kernel_size": 5, "depth": 1, "start_out": 2, "stride": 2,
    "readout": "global_average",
}  # fmt: skip


def pooled() -> Trained:
    """Return a network of random weights, trained on 500 time points; a sample of `networks` has 400."""
    torch.manual_seed(3)
    architecture = Architecture(replace(MODALITY, n_times=500), "variable1dcnn", POOLED)
    weights = {name: torch.rand(tensor.shape) for name, tensor in architecture.outline().state_dict().items()}
    return constant(0.0, architecture=architecture, weights=weights)


def test_it_predicts_what_the_network_returns_for_series_of_this_length_and_says_so() -> None:
    trained = of_length(pooled(), 400)
    people = sample(a=50.0, b=60.0)
    ensemble = Ensemble((trained,), {shape_of(trained): people})
    values, _ = ensemble.predict(ensemble.participants(), "cpu", 10)
    series = torch.from_numpy(np.asarray(people.participants.store.series))
    np.testing.assert_allclose(values[:, 0], trained.network()(series)[:, 0], rtol=1e-6)
    [note] = [note for note in ensemble.caveats(ensemble.participants()) if "time points" in note]
    assert note.startswith("Series of 400 time points are predicted, but the network was trained on 500")


def test_its_own_length_is_no_change() -> None:
    assert of_length(constant(50.0), 400).architecture == constant(50.0).architecture


@pytest.mark.parametrize(
    ("trained", "n_times", "error", "message"),
    [
        (
            constant(50.0),
            300,
            EvaluationError,
            "`n_times` must be 400 for `bundle=bundle`, as in its training, but got 300",
        ),
        (
            pooled(),
            4,
            ImpossibleArchitectureError,
            "4 time points runs out in layer 1, whose convolution needs 5 points",
        ),
    ],
    ids=["weights for time points", "too short"],
)
def test_a_length_that_the_network_cannot_take_is_refused(
    trained: Trained, n_times: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        of_length(trained, n_times)
