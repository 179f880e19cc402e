"""A network's maps find the components that encode age in simulated participants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.data.cohorts.simulated_series import age_components
from brainage.explanation.explain import explain
from brainage.models.variable1dcnn import Variable1DCNN

GOOD = GOOD_COMPONENTS[25]
N_TRAIN, N_TEST = 760, 40


def simulated() -> tuple[Tensor, Tensor]:
    """Return z-scored series of the good components, and ages."""
    cohort = SimulatedCohort(n_participants=N_TRAIN + N_TEST, seed=5, good_components=GOOD)
    table = cohort.read_table()
    raw = np.stack(
        [scan.read().T[[c - 1 for c in GOOD]] for scan in cohort.find_scans(table["participant_id"], 25).values()]
    )
    series = (raw - raw.mean(axis=2, keepdims=True)) / raw.std(axis=2, keepdims=True)
    return torch.from_numpy(series.astype(np.float32)), torch.tensor(table["age"].to_numpy(np.float32))


def trained(series: Tensor, age: Tensor) -> nn.Module:
    """Train a small network for 12 epochs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Variable1DCNN(in_channels=len(GOOD), kernel_size=5, depth=3, start_out=8, stride=2)
    nn.init.constant_(network.decoder[-1].bias, float(age.mean()))  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    n_batches, epochs, generator = len(age) // 32, 12, torch.Generator().manual_seed(0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * n_batches)
    for _ in range(epochs):
        for batch in torch.randperm(len(age), generator=generator)[: n_batches * 32].view(-1, 32):
            loss = nn.functional.mse_loss(network(series[batch]).squeeze(1), age[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@pytest.mark.slow
def test_components_that_carry_age_rank_above_the_others() -> None:
    series, age = simulated()
    network = trained(series[:N_TRAIN], age[:N_TRAIN])
    found = explain(
        network,
        series[N_TRAIN:].numpy(),
        components=GOOD,
        t_r=0.735,
        n_windows=1,
        n_steps=16,
        seed=43,
    )
    error = abs(found.maps.predicted - age[N_TRAIN:].numpy()).mean()
    assert error < 5.2, "the network did not learn; the mean predictor misses by 6.3"
    # What the generator lets age act on: 14 of the 21 good components, from 1.
    carrying = set(age_components(25, GOOD))
    found = replace(found, ages=age[N_TRAIN:].numpy().astype(np.float64))
    table = found.component_table()
    truth = table["component"].isin(carrying)
    assert (truth.sum(), len(truth)) == (14, 21)
    for method in ("occlusion", "gradients"):
        by_age = roc_auc_score(truth, table[f"{method}_r_age"].abs())
        by_spread = roc_auc_score(truth, table[f"{method}_spread"])
        print(f"{method}: AUC {by_age:.3f} by r with age, {by_spread:.3f} by SD")
        assert min(by_age, by_spread) > 0.85
    assert found.agreement is not None and found.agreement > 0.8
    assert found.maps.completeness.relative is not None and found.maps.completeness.relative < 0.01
    assert found.randomisation.alike is False
