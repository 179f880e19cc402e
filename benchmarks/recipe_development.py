"""Candidates for the default network and recipe: ``python -m benchmarks.recipe_development``, minutes on a GPU.

Simulated participants (version 1, 25 components) of the cohort seeds 0 to 4, of which nothing is reported: 1,600
participants train, 2,400 others measure. The networks of an arm, some of each cohort, are trained together; arms that
are in the table are kept. Without a GPU, name some arms: each takes 20 minutes or more.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import l1_loss, mse_loss, smooth_l1_loss

from benchmarks.measure import ROOT
from brainage import models
from brainage.data.augmentation import Augmentation
from brainage.data.cohorts.simulated import GOOD_COMPONENTS, SimulatedCohort
from brainage.system.provenance import commit

SEEDS = (0, 1, 2, 3, 4)
N_TRAIN, N_PARTICIPANTS = 1600, 4000
TABLE = ROOT / "experiments" / "recipes" / "development.csv"
CACHE = ROOT / "outputs" / "bench" / "recipe_development"

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
    cuts : int
        How often CutMix is applied: twice mixes up to four participants.
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
    cuts: int = 1
    change: str = ""
    unit: bool = True
    loss: str = "mse"
    averaging: float = 0.0
    decay: bool = True
    lr: float = 2e-3
    weight_decay: float = 0.1
    batch_size: int = 64
    epochs: int = 20


def _pooled(*, epochs: int = 20, cutmix: float = 1.0, **changed: Any) -> Arm:
    """Return the final network with a mean over time, CutMix and dropout, of which some arguments are changed."""
    of_arm = {name: changed.pop(name) for name in tuple(changed) if name in Arm.__dataclass_fields__}
    return Arm(cutmix=cutmix, epochs=epochs, **of_arm, model={**_FINAL, "final_dropout": 0.3, **changed})


def _covariance(*, epochs: int = 20, cutmix: float = 1.0, **changed: Any) -> Arm:
    of_arm = {name: changed.pop(name) for name in tuple(changed) if name in Arm.__dataclass_fields__}
    return Arm("covariance1dcnn", {"final_dropout": 0.5, **changed}, cutmix=cutmix, epochs=epochs, **of_arm)


ARMS: dict[str, Arm] = {
    "pooled, nothing": Arm(),
    "pooled, nothing, as published but 1e-3": Arm(unit=False, decay=False, lr=1e-3, batch_size=128, epochs=30),
    "pooled, dropout": _pooled(cutmix=0.0),
    "pooled, CutMix": _pooled(final_dropout=0.0),
    "pooled": _pooled(),
    "pooled, dropout 0.5": _pooled(final_dropout=0.5),
    "pooled, convolutions' dropout 0.1": _pooled(conv_dropout=0.1),
    "pooled, mean and SD": _pooled(readout="global_average_sd"),
    "pooled, no decay of the rate": _pooled(decay=False, lr=1e-3),
    "pooled, averaging": _pooled(averaging=0.98),
    "pooled, years": _pooled(unit=False),
    "pooled, MAE": _pooled(loss="mae"),
    "pooled, Huber": _pooled(loss="huber"),
    "pooled, weight decay 1": _pooled(weight_decay=1.0),
    "pooled, windows": _pooled(change="windows"),
    "pooled, dropped channels": _pooled(change="channels"),
    "pooled, random phases": _pooled(change="phases"),
    "pooled, 10 epochs": _pooled(epochs=10),
    "pooled, 40 epochs": _pooled(epochs=40),
    "pooled, 80 epochs": _pooled(epochs=80),
    "pooled, batches of 128": _pooled(batch_size=128, epochs=40),
    "pooled, rate 5e-4, 40 epochs": _pooled(lr=5e-4, epochs=40),
    "pooled, 32 channels": _pooled(start_out=32),
    "pooled, 32 channels, 40 epochs": _pooled(start_out=32, epochs=40),
    "pooled, 96 channels": _pooled(start_out=96),
    "pooled, kernel 3": _pooled(kernel_size=3),
    "pooled, kernel 10": _pooled(kernel_size=10),
    "pooled, single convolution of 128": _pooled(double_conv=False, start_out=128),
    "residual1dcnn": Arm("residual1dcnn", {}, cutmix=1.0),
    "residual1dcnn, 40 epochs": Arm("residual1dcnn", {}, cutmix=1.0, epochs=40),
    "covariance1dcnn, no CutMix": _covariance(cutmix=0.0),
    "covariance1dcnn, no CutMix, dropout 0.7, weight decay 1": _covariance(
        cutmix=0.0, final_dropout=0.7, weight_decay=1.0
    ),
    "covariance1dcnn": _covariance(),
    "covariance1dcnn, 40 epochs": _covariance(epochs=40),
    "covariance1dcnn, dropout 0.7": _covariance(final_dropout=0.7),
    "covariance1dcnn, rate 1e-3": _covariance(lr=1e-3),
    "covariance1dcnn, weight decay 1": _covariance(weight_decay=1.0),
    "covariance1dcnn, averaging": _covariance(averaging=0.98),
    "covariance1dcnn, 24 features": _covariance(n_features=24),
    "covariance1dcnn, 72 features": _covariance(n_features=72),
    "covariance1dcnn, kernel 9": _covariance(kernel_size=9),
    "covariance1dcnn, depth 2": _covariance(depth=2),
    "mean_mlp": Arm("mean_mlp", {}, cutmix=1.0),
    # Parts that lowered the error, together.
    "pooled, dropout 0.5, years": _pooled(final_dropout=0.5, unit=False),
    "pooled, dropout 0.7, years": _pooled(final_dropout=0.7, unit=False),
    "pooled, dropout 0.5, years, 10 epochs": _pooled(final_dropout=0.5, unit=False, epochs=10),
    "pooled, dropout 0.5, years, 30 epochs": _pooled(final_dropout=0.5, unit=False, epochs=30),
    "pooled, dropout 0.5, years, rate 4e-3": _pooled(final_dropout=0.5, unit=False, lr=4e-3),
    "pooled, dropout 0.5, years, random phases": _pooled(final_dropout=0.5, unit=False, change="phases"),
    "pooled, dropout 0.5, years, dropped channels": _pooled(final_dropout=0.5, unit=False, change="channels"),
    "pooled, dropout 0.5, years, CutMix twice": _pooled(final_dropout=0.5, unit=False, cuts=2),
    "pooled, dropout 0.5, years, CutMix 0.5": _pooled(final_dropout=0.5, unit=False, cutmix=0.5),
    "pooled, dropout 0.5, years, 96 channels": _pooled(final_dropout=0.5, unit=False, start_out=96),
    "pooled, dropout 0.5, years, kernel 4": _pooled(final_dropout=0.5, unit=False, kernel_size=4),
    "pooled, dropout 0.5, years, batches of 128": _pooled(final_dropout=0.5, unit=False, batch_size=128),
}


@dataclass(frozen=True)
class Cohorts:
    """Z-scored series (n_cohorts, n, n_channels, n_times), ages in years (n_cohorts, n), and the least possible MAE."""

    seeds: Sequence[int]
    series: Tensor
    age: Tensor
    ceiling: Sequence[float]


def simulated(seeds: Sequence[int], device: str) -> Cohorts:
    """Read the cohorts, which `_simulate` has written."""
    series = torch.stack([torch.from_numpy(np.load(_file(seed))) for seed in seeds]).to(device)
    age, ceiling = zip(*(_ages(seed) for seed in seeds), strict=True)
    return Cohorts(seeds, series, torch.from_numpy(np.stack(age)).to(device), ceiling)


def _simulate(seed: int, pool: Executor) -> None:
    """Simulate the series of a seed's cohort, unless its file is there."""
    if not _file(seed).is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        numbers = np.array_split(np.arange(N_PARTICIPANTS), 16)
        np.save(_file(seed), np.concatenate(list(pool.map(_simulated, [seed] * len(numbers), numbers))))


def _simulated(seed: int, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
    good = GOOD_COMPONENTS[25]
    cohort = SimulatedCohort(n_participants=N_PARTICIPANTS, seed=seed, good_components=good)
    scans = cohort.find_scans(cohort.read_table()["participant_id"][numbers], 25).values()
    raw = np.stack([scan.read().T[np.array(good) - 1].astype(np.float32) for scan in scans])
    series: NDArray[np.float32] = (raw - raw.mean(axis=2, keepdims=True)) / raw.std(axis=2, keepdims=True)
    return series


def _file(seed: int) -> Path:
    return CACHE / f"{seed}.npy"


def _ages(seed: int) -> tuple[NDArray[np.float32], float]:
    """Return ages, and the MAE of the best possible predictor: a line of true brain age."""
    table = SimulatedCohort(n_participants=N_PARTICIPANTS, seed=seed).read_table()
    age = table["age"].to_numpy(np.float32)
    brain_age = age + table["true_gap"].to_numpy(np.float32)
    slope, intercept = np.polyfit(brain_age[:N_TRAIN], age[:N_TRAIN], 1)
    return age, float(np.abs(intercept + slope * brain_age - age)[N_TRAIN:].mean())


class Together:
    """Networks of one architecture, each with its own initial weights and series, trained as one."""

    def __init__(self, arm: Arm, n_channels: int, seeds: Sequence[int], device: torch.device) -> None:
        networks = []
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(models.build(arm.network, {"in_channels": n_channels, **arm.model}).to(device))
        self._base = copy.deepcopy(networks[0])
        self.parameters, self.buffers = stack_module_state(networks)
        self.n_parameters = sum(parameter.numel() for parameter in networks[0].parameters())

    def __call__(self, series: Tensor, *, train: bool) -> Tensor:
        """Predict ages, of shape (networks, batch), from series of shape (networks, batch, n_channels, n_times)."""
        self._base.train(train)
        predicted: Tensor = vmap(self._one, randomness="different")(self.parameters, self.buffers, series)
        return predicted.squeeze(2)

    def _one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], series: Tensor) -> Tensor:
        predicted: Tensor = functional_call(self._base, (parameters, buffers), (series,))
        return predicted


def measured(name: str, cohorts: Cohorts, n_networks: int) -> tuple[list[dict[str, object]], NDArray[np.float32]]:
    """Train an arm on all cohorts; return rows of the table, and predictions (networks, participants)."""
    arm, began = ARMS[name], time.perf_counter()
    named = [(seed, number) for seed in cohorts.seeds for number in range(n_networks)]
    device = cohorts.series.device
    networks = Together(arm, cohorts.series.shape[2], [100 * seed + number for seed, number in named], device)
    mean, sd = _unit(arm, cohorts)
    _train(networks, arm, cohorts, ((cohorts.age - mean) / sd)[:, :N_TRAIN], n_networks)
    with torch.no_grad():
        parts = torch.split(cohorts.series[:, N_TRAIN:], 100, dim=1)
        found = torch.cat([networks(_for_each(part, n_networks), train=False) for part in parts], dim=1)
    predicted = found * _for_each(sd, n_networks) + _for_each(mean, n_networks)
    errors = (predicted - _for_each(cohorts.age[:, N_TRAIN:], n_networks)).abs().mean(dim=1).tolist()
    common = {
        "parameters": networks.n_parameters,
        "seconds": round((time.perf_counter() - began) / len(named), 1),
        "device": torch.cuda.get_device_name() if cohorts.series.is_cuda else "CPU",
        "commit": (commit() or "")[:7],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    ceiling = dict(zip(cohorts.seeds, cohorts.ceiling, strict=True))
    rows = [
        {
            "arm": name,
            "cohort_seed": seed,
            "network": number,
            "mae": round(error, 4),
            "ceiling": ceiling[seed],
            **common,
        }
        for (seed, number), error in zip(named, errors, strict=True)
    ]
    return rows, predicted.cpu().numpy()


def _for_each(values: Tensor, n_networks: int) -> Tensor:
    """Repeat the values of each cohort for each of its networks."""
    return values.repeat_interleave(n_networks, dim=0)


def _unit(arm: Arm, cohorts: Cohorts) -> tuple[Tensor, Tensor]:
    """Return the mean of the training ages, and the unit of the target, in years, of each cohort."""
    sd, mean = torch.std_mean(cohorts.age[:, :N_TRAIN], dim=1, keepdim=True)
    return mean, sd if arm.unit else torch.ones_like(sd)


def _train(networks: Together, arm: Arm, cohorts: Cohorts, target: Tensor, n_networks: int) -> None:
    """Train on the first participants; weights are the averaged ones where the arm averages."""
    weights = list(networks.parameters.values())
    optimizer = torch.optim.AdamW(weights, lr=arm.lr, weight_decay=arm.weight_decay)
    n_steps = arm.epochs * -(-N_TRAIN // arm.batch_size)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps) if arm.decay else None
    kept = [weight.detach().clone() for weight in weights]
    for number, (series, ages) in enumerate(_batches(arm, cohorts, target)):
        predicted = networks(_for_each(series, n_networks), train=True)
        loss = _LOSSES[arm.loss](predicted, _for_each(ages, n_networks)) * len(predicted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if decay is not None:
            decay.step()
        if arm.averaging:
            # The first steps are far from the last ones.
            share = arm.averaging if number >= n_steps // 10 else 0.0
            torch._foreach_lerp_(kept, [weight.detach() for weight in weights], 1 - share)
    if arm.averaging:
        for weight, averaged in zip(weights, kept, strict=True):
            weight.data.copy_(averaged)


def _batches(arm: Arm, cohorts: Cohorts, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the training batches of all epochs, of the same rows of all cohorts."""
    rng, augmentation = np.random.default_rng(0), Augmentation(cutmix=arm.cutmix)
    n_times = cohorts.series.shape[3]
    for _ in range(arm.epochs):
        for rows in np.split(rng.permutation(N_TRAIN), range(arm.batch_size, N_TRAIN, arm.batch_size)):
            chosen = torch.from_numpy(rows).to(target.device)
            series, ages = cohorts.series[:, chosen], target[:, chosen]
            for mix in [augmentation.draw(rng, len(rows), n_times) for _ in range(arm.cuts)] if arm.cutmix else ():
                assert mix is not None
                partners = torch.from_numpy(mix.partners).to(target.device)
                series = torch.cat([series[..., : mix.n_kept], series[:, partners][..., mix.n_kept :]], dim=3)
                ages = torch.lerp(ages[:, partners], ages, mix.n_kept / n_times)
            yield _CHANGES[arm.change](series, rng), ages


def _windows(series: Tensor, rng: np.random.Generator) -> Tensor:
    """Return half of the time points, in sequence."""
    n_kept = series.shape[3] // 2
    begin = int(rng.integers(series.shape[3] - n_kept + 1))
    return series[..., begin : begin + n_kept]


def _without_channels(series: Tensor, rng: np.random.Generator) -> Tensor:
    """Set a tenth of the participants' channels to their mean, 0."""
    kept = rng.random((*series.shape[:3], 1)) > 0.1
    return series * torch.from_numpy(kept.astype(np.float32)).to(series.device)


def _random_phases(series: Tensor, rng: np.random.Generator) -> Tensor:
    """Randomise the phases of half of the participants, the same in all channels: their spectra stay."""
    spectrum = torch.fft.rfft(series)
    shape = (*series.shape[:2], 1)
    turned = np.exp(2j * np.pi * rng.random((*shape, spectrum.shape[3]))).astype(np.complex64)
    chosen = torch.from_numpy(rng.random((*shape, 1)) < 0.5).to(series.device)
    changed = torch.fft.irfft(spectrum * torch.from_numpy(turned).to(series.device), n=series.shape[3])
    return torch.where(chosen, changed, series)


_CHANGES: dict[str, _Change] = {
    "": lambda series, rng: series,
    "windows": _windows,
    "channels": _without_channels,
    "phases": _random_phases,
}


def _table() -> pd.DataFrame:
    return pd.read_csv(TABLE) if TABLE.is_file() else pd.DataFrame()


def _add(arms: Sequence[str], n_networks: int, device: str, predictions: Path | None) -> None:
    """Train arms, and add their rows to the table, to which other processes add too."""
    torch.set_num_threads(1)
    cohorts = simulated(SEEDS, device)
    for arm in arms:
        rows, predicted = measured(arm, cohorts, n_networks)
        if predictions is not None:
            np.save(predictions / f"{list(ARMS).index(arm)}.npy", predicted)
        with FileLock(CACHE / "table.lock"):
            known = [table] if len(table := _table()) else []
            pd.concat([*known, pd.DataFrame(rows)]).to_csv(TABLE, index=False)
        print(f"{arm}: {np.mean([row['mae'] for row in rows]):.3f} years, {rows[0]['seconds']} s each", flush=True)


def main() -> None:
    """Train the missing arms, and print the means."""
    options = _options()
    missing = [arm for arm in options.arms if arm not in set(_table().get("arm", ()))]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for seed in SEEDS if missing else ():
            _simulate(seed, pool)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        parts = [missing[number :: options.jobs] for number in range(options.jobs)]
        settings = (options.networks, options.device, options.predictions)
        for started in [pool.submit(_add, part, *settings) for part in parts if part]:
            started.result()
    table = _table()
    means = table[table["arm"].isin(options.arms)].groupby(["arm", "parameters"])[["mae", "ceiling"]].mean()
    print(means.sort_values("mae").to_string(float_format=lambda value: f"{value:.3f}"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe_development", description=__doc__)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--networks", type=int, default=2, help="networks of each arm and cohort (default: 2)")
    parser.add_argument("--jobs", type=int, default=1, help="arms that are trained at a time (default: 1)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--predictions", type=Path, help="folder for predictions, one file an arm")
    return parser.parse_args()


if __name__ == "__main__":
    main()
