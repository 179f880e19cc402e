"""Whether harmonisation between sites lowers the error, of ridges and of networks, on simulated sites that differ.

``python -m benchmarks.sites STORE [COHORT_SEED ...]`` prints the MAE with random splits and with each site left out.
Networks have no batch normalisation, an ordinary one, or one with statistics of each site: Chang et al. 2019, doi
10.1109/CVPR.2019.00753, with the statistics of all sites for sites that the training lacks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.measure import ROOT
from brainage import models
from brainage.config.hydra import parse, register
from brainage.data.cohorts.select import select_from
from brainage.data.participants import Participants, stored_participants
from brainage.data.splits.draw import leave_site_out_split, random_split
from brainage.training.baseline import fit_baseline

COHORT = ("cohort.version=2", "cohort.n_participants=1000", "cohort.sites=different", "modality.t_r=null")
N_TIMES, N_RANDOM, N_EPOCHS, BATCH = 300, 4, 30, 64
HARMONIZE, NORMS = ("none", "center", "combat"), ("none", "ordinary", "site")

# Participants of a site in a batch from which its statistics are updated.
_FEWEST = 4

Errors = NDArray[np.float64]


class SiteNorm(nn.Module):
    """Batch normalisation with statistics of each site; `site` is set before each forward, -1 for others."""

    site: Tensor

    def __init__(self, width: int, n_sites: int) -> None:
        super().__init__()
        self.sites = nn.ModuleList([nn.BatchNorm1d(width, affine=False) for _ in range(n_sites)])
        self.pooled = nn.BatchNorm1d(width, affine=False)
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, series: Tensor) -> Tensor:
        """Return normalised channels, of shape (n, width, n_times)."""
        found = torch.empty_like(series)
        if self.training:
            with torch.no_grad():
                self.pooled(series)
        for site in torch.unique(SiteNorm.site).tolist():
            rows = SiteNorm.site == site
            is_few = self.training and int(rows.sum()) < _FEWEST
            found[rows] = (self.pooled if site < 0 or is_few else self.sites[site])(series[rows])
        return found * self.weight[None, :, None] + self.bias[None, :, None]


def by_site(network: nn.Module, n_sites: int) -> nn.Module:
    """Replace the batch normalisation of a network, which is returned."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm1d):
            setattr(network, name, SiteNorm(child.num_features, n_sites))
        else:
            by_site(child, n_sites)
    return network


def network_errors(people: Participants, series: Tensor, norm: str, seed: int) -> Errors:
    """Train a small network, and return the absolute errors of test participants at the best epoch."""
    torch.manual_seed(seed)
    sizes = {"kernel_size": 5, "depth": 3, "start_out": 16, "readout": "global_average", "batch_norm": norm != "none"}
    network = models.build("variable1dcnn", {"in_channels": series.shape[1], "n_times": N_TIMES, "stride": 2, **sizes})
    part, age = people.table["split"].to_numpy(str), torch.tensor(people.ages, dtype=torch.float32)
    site = torch.from_numpy(np.unique(people.table["site"].to_numpy(str), return_inverse=True)[1])
    training, held_out = np.flatnonzero(part == "train"), np.flatnonzero(part != "train")
    network = by_site(network, int(site.max()) + 1) if norm == "site" else network
    *_, last = network.get_submodule("decoder").children()
    nn.init.constant_(cast("nn.Linear", last).bias, float(age[training].mean()))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    known = torch.where(torch.isin(site, site[training]), site, -1)
    rng, lowest, best = np.random.default_rng(seed), np.inf, np.empty(0)
    for _ in range(N_EPOCHS):
        network.train()
        for rows in np.array_split(rng.permutation(training), len(training) // BATCH):
            SiteNorm.site = site[rows]
            loss = ((network(series[rows])[:, 0] - age[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        SiteNorm.site = known[held_out]
        with torch.no_grad():
            errors = (network(series[held_out])[:, 0] - age[held_out]).abs().numpy()
        mse = float((errors[part[held_out] == "val"] ** 2).mean())
        if mse < lowest:
            lowest, best = mse, errors[part[held_out] == "test"]
    return best


def ridge_errors(people: Participants, model: str, arguments: dict[str, object], method: str) -> Errors:
    """Fit a ridge, and return the absolute errors of test participants."""
    predicted = fit_baseline(model, arguments, people, method).predicted
    return np.abs(predicted - people.ages)[people.table["split"].eq("test").to_numpy()]


def cohort(store: Path, seed: int) -> tuple[Participants, dict[str, list[Participants]]]:
    """Return the participants, and with each split: random ones, and each site left out."""
    words = [*COHORT, f"modality.n_times={N_TIMES}", f"cohort.seed={seed}", f"store.root={store}"]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        config = parse(compose("train", [*words, "hydra.run.dir=unused"]))
    selection = select_from(config.cohort, config.modality, stores=[config.store.root])
    people, table = stored_participants(selection, config.modality, config.store.root), selection.table

    def divided(split: pd.Series[str]) -> Participants:
        return replace(people, table=people.table.assign(split=people.table["participant_id"].map(split)))

    return people, {
        "random splits": [divided(random_split(table, seed=number)) for number in range(N_RANDOM)],
        "sites left out": [
            divided(leave_site_out_split(table, site=s, seed=0)) for s in sorted(table["site"].unique())
        ],
    }


def measured(store: Path, seed: int) -> Iterator[tuple[str, str, list[float]]]:
    """Yield the splits, the model, and its MAE in years with each kind of harmonisation."""
    people, divided = cohort(store, seed)
    rows = [np.asarray(people.store.series[row])[list(people.channels), :N_TIMES] for row in people.rows]
    series = torch.from_numpy(np.stack(rows).astype(np.float32))
    ridges: dict[str, dict[str, object]] = {"ridge_connectivity": {}, "ridge_spectrum": {"lags": 0}}
    for name, splits in divided.items():
        for model, arguments in ridges.items():
            found = [[ridge_errors(one, model, arguments, method) for one in splits] for method in HARMONIZE]
            yield name, f"{model}, harmonize={'|'.join(HARMONIZE)}", [*map(_mae, found)]
        found = [[network_errors(one, series, norm, seed) for seed, one in enumerate(splits)] for norm in NORMS]
        yield name, f"network, batch normalisation {'|'.join(NORMS)}", [*map(_mae, found)]


def _mae(errors: list[Errors]) -> float:
    return float(np.concatenate(errors).mean())


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    register()
    for seed in map(int, sys.argv[2:] or ["0"]):
        for splits, model, errors in measured(Path(sys.argv[1]), seed):
            print(seed, splits, model, *(f"{error:.2f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
