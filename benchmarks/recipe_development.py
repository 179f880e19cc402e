"""Candidates for the default network and recipe: ``python -m benchmarks.recipe_development``, hours on two cores.

Simulated participants (version 1, 25 components) of the cohort seeds 0 to 4, of which nothing is reported: 1,600
participants train, 2,400 others measure. One network of one arm after the other; rows that are in the table are kept.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss, smooth_l1_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.measure import ROOT
from brainage import models
from brainage.data.augmentation import Augmentation
from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.system.provenance import commit

SEEDS = (0, 1, 2, 3, 4)
N_TRAIN, N_PARTICIPANTS = 1600, 4000
TABLE = ROOT / "experiments" / "recipes" / "development.csv"

_FINAL: dict[str, Any] = {
    **{"kernel_size": 6, "depth": 1, "start_out": 64, "stride": 4, "double_conv": True, "batch_norm": True},
    "readout": "global_average",
}
_LOSSES: dict[str, Callable[..., Tensor]] = {"mse": mse_loss, "mae": l1_loss, "huber": smooth_l1_loss}

# How a batch of series is changed, besides the package's augmentation.
_Change = Callable[[Tensor, np.random.Generator], Tensor]


@dataclass(frozen=True)
class Arm:
    """A candidate: a network, and how it is trained.

    Parameters
    ----------
    network : str
        Its name in ``brainage.models``.
    model : dict
        Its arguments.
    cutmix : float
        See `brainage.data.augmentation.Augmentation`.
    change : str
        A further change of training series: ``""``, ``windows``, ``channels`` or ``phases``.
    unit : bool
        Train on ages in units of their SD, instead of years.
    loss : {"mse", "mae", "huber"}
        Loss of a batch; Huber's changes at one unit.
    averaging : float
        Share of the averaged weights that a step keeps; 0 averages nothing.
    decay : bool
        Cosine decay of the learning rate to 0 over all steps.
    """

    network: str = "variable1dcnn"
    model: dict[str, Any] = field(default_factory=lambda: _FINAL)
    cutmix: float = 0.0
    change: str = ""
    unit: bool = True
    loss: str = "mse"
    averaging: float = 0.0
    decay: bool = True
    lr: float = 2e-3
    weight_decay: float = 0.1
    batch_size: int = 64
    epochs: int = 20


def _final(**changed: Any) -> dict[str, Any]:
    return {**_FINAL, **changed}


ARMS: dict[str, Arm] = {
    "pooled": Arm(),
    "pooled, as published but 1e-3": Arm(unit=False, decay=False, lr=1e-3, batch_size=128, epochs=30),
    "pooled, mean and SD": Arm(model=_final(readout="global_average_sd")),
    "pooled, dropout 0.3": Arm(model=_final(final_dropout=0.3)),
    "pooled, dropout 0.5": Arm(model=_final(final_dropout=0.5)),
    "pooled, CutMix": Arm(cutmix=1.0),
    "pooled, CutMix, dropout 0.3": Arm(cutmix=1.0, model=_final(final_dropout=0.3)),
    "pooled, CutMix, no decay of the rate": Arm(cutmix=1.0, decay=False, lr=1e-3),
    "pooled, CutMix, averaging": Arm(cutmix=1.0, averaging=0.98),
    "pooled, CutMix, years": Arm(cutmix=1.0, unit=False),
    "pooled, CutMix, MAE": Arm(cutmix=1.0, loss="mae"),
    "pooled, CutMix, Huber": Arm(cutmix=1.0, loss="huber"),
    "pooled, CutMix, weight decay 1": Arm(cutmix=1.0, weight_decay=1.0),
    "pooled, CutMix, windows": Arm(cutmix=1.0, change="windows"),
    "pooled, CutMix, dropped channels": Arm(cutmix=1.0, change="channels"),
    "pooled, CutMix, random phases": Arm(cutmix=1.0, change="phases"),
    "pooled, CutMix, 40 epochs": Arm(cutmix=1.0, epochs=40),
    "pooled, CutMix, 32 channels": Arm(cutmix=1.0, model=_final(start_out=32)),
    "residual1dcnn, CutMix": Arm("residual1dcnn", {}, cutmix=1.0),
    "covariance1dcnn": Arm("covariance1dcnn", {}),
    "covariance1dcnn, dropout 0.5": Arm("covariance1dcnn", {"final_dropout": 0.5}),
    "covariance1dcnn, CutMix, dropout 0.5": Arm("covariance1dcnn", {"final_dropout": 0.5}, cutmix=1.0),
    "mean_mlp, CutMix": Arm("mean_mlp", {}, cutmix=1.0),
}


@dataclass(frozen=True)
class Cohort:
    """Z-scored series of shape (n, n_channels, n_times), ages in years, and the MAE of the best possible predictor."""

    seed: int
    series: NDArray[np.float32]
    age: NDArray[np.float32]
    ceiling: float


def simulated(seed: int) -> Cohort:
    """Simulate the cohort of a seed."""
    good = GOOD_COMPONENTS[25]
    cohort = SimulatedCohort(n_participants=N_PARTICIPANTS, seed=seed, good_components=good)
    table = cohort.read_table()
    scans = cohort.find_scans(table["participant_id"], 25)
    raw = np.stack([scan.read().T[np.array(good) - 1].astype(np.float32) for scan in scans.values()])
    series = (raw - raw.mean(axis=2, keepdims=True)) / raw.std(axis=2, keepdims=True)
    age = table["age"].to_numpy(np.float32)
    brain_age = age + table["true_gap"].to_numpy(np.float32)
    slope, intercept = np.polyfit(brain_age[:N_TRAIN], age[:N_TRAIN], 1)
    return Cohort(seed, series, age, float(np.abs(intercept + slope * brain_age - age)[N_TRAIN:].mean()))


def measured(name: str, cohort: Cohort) -> dict[str, object]:
    """Train an arm, and return its row of the table."""
    arm, began = ARMS[name], time.perf_counter()
    torch.manual_seed(cohort.seed)
    network = models.build(arm.network, {"in_channels": cohort.series.shape[1], **arm.model})
    trained = _train(network, arm, cohort)
    mean, sd = _unit(arm, cohort)
    series = torch.from_numpy(cohort.series[N_TRAIN:])
    with torch.inference_mode():
        predicted = torch.cat([trained(part) for part in torch.split(series, 200)]).squeeze(1).numpy() * sd + mean
    return {
        "arm": name,
        "cohort_seed": cohort.seed,
        "mae": round(float(np.abs(predicted - cohort.age[N_TRAIN:]).mean()), 4),
        "ceiling": round(cohort.ceiling, 4),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": round(time.perf_counter() - began),
        "commit": (commit() or "")[:7],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }


def _unit(arm: Arm, cohort: Cohort) -> tuple[float, float]:
    """Return the mean of the training ages, and the unit of the target, in years."""
    age = cohort.age[:N_TRAIN]
    return float(age.mean()), float(age.std()) if arm.unit else 1.0


def _train(network: nn.Module, arm: Arm, cohort: Cohort) -> nn.Module:
    """Train on the first participants; return the network, or the averaged one, in eval mode."""
    mean, sd = _unit(arm, cohort)
    target = torch.from_numpy((cohort.age[:N_TRAIN] - mean) / sd)
    optimizer = torch.optim.AdamW(network.parameters(), lr=arm.lr, weight_decay=arm.weight_decay)
    n_steps = arm.epochs * (N_TRAIN // arm.batch_size)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps) if arm.decay else None
    kept = get_ema_multi_avg_fn(arm.averaging)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(network, multi_avg_fn=kept, use_buffers=True)
    for number, (series, ages) in enumerate(_batches(arm, cohort, target)):
        loss = _LOSSES[arm.loss](network(series).squeeze(1), ages)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if decay is not None:
            decay.step()
        if arm.averaging and number >= n_steps // 10:  # the first steps are far from the last ones
            averaged.update_parameters(network)
    return (averaged if arm.averaging else network).eval()


def _batches(arm: Arm, cohort: Cohort, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the training batches of all epochs."""
    rng, augmentation = np.random.default_rng(cohort.seed), Augmentation(cutmix=arm.cutmix)
    n_times = cohort.series.shape[2]
    for _ in range(arm.epochs):
        for rows in rng.permutation(N_TRAIN).reshape(-1, arm.batch_size):
            mix = augmentation.draw(rng, len(rows), n_times)
            series = torch.from_numpy(cohort.series[rows] if mix is None else mix.gather(cohort.series, rows))
            ages = target[rows] if mix is None else mix.ages(target[rows], n_times)
            yield _CHANGES[arm.change](series, rng), ages


def _windows(series: Tensor, rng: np.random.Generator) -> Tensor:
    """Return half of the time points, in sequence."""
    n_kept = series.shape[2] // 2
    begin = int(rng.integers(series.shape[2] - n_kept + 1))
    return series[:, :, begin : begin + n_kept]


def _without_channels(series: Tensor, rng: np.random.Generator) -> Tensor:
    """Set a tenth of the participants' channels to their mean, 0."""
    kept = rng.random((*series.shape[:2], 1)) > 0.1
    return series * torch.from_numpy(kept.astype(np.float32))


def _random_phases(series: Tensor, rng: np.random.Generator) -> Tensor:
    """Randomise the phases of half of the participants, the same in all channels: their spectra stay."""
    spectrum = torch.fft.rfft(series)
    turned = np.exp(2j * np.pi * rng.random((len(series), 1, spectrum.shape[2]))).astype(np.complex64)
    chosen = torch.from_numpy(rng.random((len(series), 1, 1)) < 0.5)
    return torch.where(chosen, torch.fft.irfft(spectrum * torch.from_numpy(turned), n=series.shape[2]), series)


_CHANGES: dict[str, _Change] = {
    "": lambda series, rng: series,
    "windows": _windows,
    "channels": _without_channels,
    "phases": _random_phases,
}


def _table() -> pd.DataFrame:
    return pd.read_csv(TABLE) if TABLE.is_file() else pd.DataFrame({"arm": [], "cohort_seed": []})


def _add(row: dict[str, object]) -> None:
    table = pd.concat([_table(), pd.DataFrame([row])])
    table.to_csv(TABLE, index=False)
    print(f"{row['arm']}, cohort seed {row['cohort_seed']}: {row['mae']} years", flush=True)


def main() -> None:
    """Train the missing arms, and print the means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe_development", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in options.seeds:
        table = _table()
        missing = [arm for arm in options.arms if arm not in set(table.loc[table["cohort_seed"] == seed, "arm"])]
        if missing:
            cohort = simulated(seed)
            for arm in missing:
                _add(measured(arm, cohort))
    table = _table()
    table = table[table["cohort_seed"].isin(options.seeds) & table["arm"].isin(options.arms)]
    means = table.groupby(["arm", "parameters"])[["mae", "ceiling"]].mean()
    print(means.sort_values("mae").to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
