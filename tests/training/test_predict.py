"""The prediction loop: order, precision, and ages that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brainage.errors import DivergedError
from brainage.training.predict import predict


class Scaled(nn.Module):
    """Ten times the first value of each participant's series."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(10.0, dtype=dtype))

    def forward(self, series: Tensor) -> Tensor:
        assert series.dtype == self.factor.dtype
        age: Tensor = series[:, 0, :1] * self.factor
        return age


def batch(*values: float) -> Tensor:
    return torch.tensor(values)[:, None, None].expand(-1, 2, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_ages_are_in_the_order_of_the_batches_whatever_their_sizes(dtype: torch.dtype) -> None:
    ages = predict(Scaled(dtype), [batch(5, 3), batch(8), batch(1, 2, 4)])
    assert ages.dtype == np.float64
    np.testing.assert_array_equal(ages, [50, 30, 80, 10, 20, 40])


def test_predicting_builds_no_graph_and_changes_no_weight() -> None:
    network = Scaled()
    predict(network, [batch(5)])
    assert network.factor.grad is None and network.factor.item() == 10


def test_ages_that_are_not_finite_are_a_divergence_with_their_number() -> None:
    with pytest.raises(DivergedError, match=r"2 of 3 are not.*optimizer\.lr"):
        predict(Scaled(), [batch(1, float("nan")), batch(float("inf"))])
