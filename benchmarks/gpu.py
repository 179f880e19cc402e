"""Training on a GPU, relative to a bare loop on it, to its arithmetic, and to the CPU; and several networks at once."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import several
from benchmarks.__main__ import about
from benchmarks.epoch import train
from benchmarks.measure import ROOT
from benchmarks.step import NETWORKS
from benchmarks.sweep import gain_of_two_workers
from brainage.models.geometry import multiplications
from brainage.system.console import show_table
from brainage.system.reading import read_json, read_yaml
from brainage.system.tasks import count_cores

_NETWORKS = {
    "final ICA25": ["experiment=final_models/ica25"],
    "final ICA100": ["experiment=final_models/ica100"],
    "default, recipe=none": ["recipe=none"],
    "default": [],
}
_HEADER = (
    "network",
    "epoch, s",
    "over a bare loop",
    "participants/s",
    "share of the arithmetic limit",
    "memory of both loops, GiB",
)


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="benchmarks/gpu.sh", description=__doc__)
    parser.add_argument("--trainer", default="gpu", help="cpu: to try the script (default: gpu)")
    parser.add_argument("--participants", type=int, default=5902)
    parser.add_argument("--epochs", type=int, default=8, help="of each training; the first is not measured")
    options = parser.parse_args()
    device = torch.device("cuda" if options.trainer == "gpu" else "cpu")
    card = torch.cuda.get_device_name() if device.type == "cuda" else "no GPU"
    target = ROOT / "outputs" / "bench" / f"gpu-{time.strftime('%Y-%m-%d-%H-%M-%S')}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder, limit = Path(temporary), _flops(device)
        record: dict[str, Any] = {**about(), "card": card, "torch": torch.__version__}
        rows = [_speed(folder, name, words, options, limit) for name, words in _NETWORKS.items()]
        show_table(f"{card}, float32 without TF32: {limit / 1e12:.1f} TFLOP/s in matrix products", _HEADER, rows)
        agreement = _agreement(folder, options)
        for line, value in agreement.items():
            print(f"{line}: {value:.3g}")
        record |= {"float32 TFLOP/s": limit / 1e12, "networks": [_HEADER, *rows], "agreement": agreement}
        target.write_text(json.dumps(record, indent=2) + "\n")  # also if the rest exceeds the time
        record |= _several(folder, device, options)
    target.write_text(json.dumps(record, indent=2) + "\n")
    print(f"Written: {target}")


def _several(folder: Path, device: torch.device, options: Any) -> dict[str, Any]:
    """Compare two trials at once, and networks that are trained together, with one after the other."""
    given = (
        *("hydra.sweeper.n_trials=8", "model.conv_dropout=0", "model.final_dropout=0", "evaluate=false"),
        *(f"trainer={options.trainer}", f"trainer.max_epochs={options.epochs}", f"store.root={folder / 'store'}"),
        f"cohort.n_participants={options.participants}",
    )
    threads, gains = max(1, count_cores() // 2), {}
    for name in ("pooled1dcnn", "final, 21 components"):
        own = [f"model.{key}={value}" for key, value in NETWORKS[name].items() if key != "in_channels"]
        gains[name] = gain_of_two_workers(folder, name, *given, *own, threads=threads)
        print(f"Trials per hour with two workers / with one, {name}: {gains[name]:.2f}")
    rows = list(several.rows(device, options.epochs))
    show_table("Networks trained together, times as fast as one after the other", several.HEADER, rows)
    return {"trials per hour with two workers / with one": gains, "networks together": [several.HEADER, *rows]}


def _speed(folder: Path, name: str, words: list[str], options: Any, limit: float) -> list[str]:
    """Return a row of the table."""
    if options.trainer == "gpu":
        torch.cuda.reset_peak_memory_stats()
    given = [*words, f"cohort.n_participants={options.participants}", "evaluate=false"]
    ours, theirs = train(folder, options.epochs, given, trainer=options.trainer)
    memory = torch.cuda.max_memory_allocated() / 2**30 if options.trainer == "gpu" else 0.0
    seconds, over = statistics.median(ours), statistics.median(map(float.__truediv__, ours, theirs))
    n_train = read_json(folder / "run" / "summary.json")["n"]["train"]
    model = read_yaml(folder / "run" / "config.yaml")["model"]
    # Forward, and backward with respect to inputs and weights; a multiplication and an addition each.
    needed = 6 * multiplications(model["name"], model) * n_train / limit
    return [
        name,
        f"{seconds:.3f}",
        f"{over:.2f}",
        f"{n_train / seconds:.0f}",
        f"{needed / seconds:.3f}",
        f"{memory:.2f}",
    ]


def _flops(device: torch.device) -> float:
    """Return the operations a second of float32 matrix products, which networks cannot exceed."""
    size, seconds = (8192 if device.type == "cuda" else 1024), []
    matrix = torch.rand(size, size, device=device)
    for _ in range(5):
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # waits for the device
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)


def _agreement(folder: Path, options: Any) -> dict[str, float]:
    """Compare a network without dropout on both devices: the first epoch's loss, and the best epoch over two seeds."""
    words = ["recipe=none", "model.conv_dropout=0", "model.final_dropout=0", "evaluate=false"]
    words += [f"cohort.n_participants={min(options.participants, 1280)}"]
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for trainer in ("cpu", options.trainer):
        for seed in (43, 44):
            train(folder, options.epochs, [*words, f"seed={seed}"], trainer=trainer, is_compared=False)
            first = (folder / "run" / "metrics.csv").read_text().splitlines()[1].split(",")
            best = read_json(folder / "run" / "summary.json")["metrics"]["val"]["mae"]
            found[trainer, seed] = (float(first[1]), best)
    (loss, mae), (other_loss, other_mae) = found["cpu", 43], found[options.trainer, 43]
    return {
        "first epoch's training loss, relative difference to the CPU (goal: at most 1e-3)": abs(other_loss / loss - 1),
        "best validation MAE, difference to the CPU in years": abs(other_mae - mae),
        "the same between two seeds on the CPU": abs(found["cpu", 44][1] - mae),
    }


if __name__ == "__main__":
    main()
