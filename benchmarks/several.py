"""Networks of one architecture trained together, against one after the other: ``python -m benchmarks.several``.

They are those of an ensemble, which differ by their seeds. With *own batches*, as runs have, each network has its own
participants; with *one batch*, all networks have the same ones.
"""

from __future__ import annotations

import copy
import itertools
import operator
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.__main__ import about
from benchmarks.measure import features, rewrite_section
from benchmarks.step import N_TIMES, NETWORKS, one_thread
from brainage.models.layers import EncoderDecoder
from brainage.models.variable1dcnn import Variable1DCNN

SMALLEST = {"in_channels": 21, "kernel_size": 2, "depth": 1, "start_out": 8, "stride": 5}
_NAMES = ("smallest of the panel", "pooled1dcnn", "final, 21 components")
_NETWORKS: dict[str, dict[str, Any]] = {
    "smallest of the space": SMALLEST,
    **{name: NETWORKS[name] for name in _NAMES},
}
_BATCHES, _NUMBERS, _TURNS = (64, 128), (2, 4, 8), 6  # the first turn is a warm-up
TITLE = "Several networks at once"


class Trained:
    """What is trained in one step.

    Parameters
    ----------
    forward : callable
        From series of shape (n_networks or 1, batch, n_channels, n_times) to ages of shape (n_networks, batch).
    parameters : list of Tensor
        Of all networks.
    """

    def __init__(self, forward: Callable[[Tensor], Tensor], parameters: list[Tensor]) -> None:
        self.forward, self._optimizer = forward, torch.optim.AdamW(parameters, lr=1e-4)

    def step(self, series: Tensor, ages: Tensor, precision: torch.dtype) -> None:
        """Train on the sum of the networks' mean squared errors."""
        self._optimizer.zero_grad()
        with torch.autocast(series.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
            predicted = self.forward(series)
        (predicted - ages).square().mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()


def in_turn(networks: list[Variable1DCNN], *, one_batch: bool = False) -> list[Trained]:
    """Return each network by itself, as runs train them."""

    def forward(network: Variable1DCNN) -> Callable[[Tensor], Tensor]:
        return lambda series: network(series[0]).T

    return [Trained(forward(network), list(network.parameters())) for network in networks]


def stacked(networks: list[Variable1DCNN], *, one_batch: bool = False) -> list[Trained]:
    """Return one network, mapped over stacked weights by `torch.func.vmap`."""
    parameters, buffers = stack_module_state(networks)
    network = copy.deepcopy(networks[0]).to("meta")

    def predict(own: tuple[dict[str, Tensor], ...], series: Tensor) -> Tensor:
        predicted: Tensor = functional_call(network, own, (series,)).squeeze(1)
        return predicted

    mapped = vmap(predict, in_dims=(0, None if one_batch else 0), randomness="different")

    def forward(series: Tensor) -> Tensor:
        return mapped((parameters, buffers), series[0] if one_batch else series)

    return [Trained(forward, list(parameters.values()))]


def grouped(networks: list[Variable1DCNN], *, one_batch: bool = False) -> list[Trained]:
    """Return one network whose convolutions have a group for each network."""
    together, n = EncoderDecoder(), len(networks)
    layers = list(zip(*(network.encoder for network in networks), strict=True))
    first = _merged(layers[0], 1 if one_batch else n)
    together.encoder = nn.Sequential(first, *(_merged(each, n) for each in layers[1:]))
    linear = _merged([network.decoder[-1] for network in networks], n)
    together.decoder = nn.Sequential(nn.Unflatten(1, (-1, 1)), linear, nn.Flatten())

    def forward(series: Tensor) -> Tensor:
        predicted: Tensor = together(series.transpose(0, 1).flatten(1, 2)).T
        return predicted

    return [Trained(forward, list(together.parameters()))]


def _merged(layers: list[nn.Module] | tuple[nn.Module, ...], groups: int) -> nn.Module:
    """Return a layer that computes what each of the layers does, with its channels after those of the one before it."""
    one, n = layers[0], len(layers)
    merged: nn.Module
    if isinstance(one, nn.Conv1d):
        shape = (groups * one.in_channels, n * one.out_channels, one.kernel_size[0])
        merged = nn.Conv1d(*shape, dilation=one.dilation[0], groups=groups)
    elif isinstance(one, nn.BatchNorm1d):
        merged = nn.BatchNorm1d(n * one.num_features)
    elif isinstance(one, nn.Linear):
        merged = nn.Conv1d(n * one.in_features, n * one.out_features, 1, groups=groups)
    else:
        return one
    with torch.no_grad():
        for name, parameter in merged.named_parameters():
            parameter.copy_(torch.cat([layer.get_parameter(name) for layer in layers]).view_as(parameter))
    return merged.to(next(one.parameters()).device)


# Ways by their columns: what they do, and whether with one batch. The first is what the others are compared with.
_WAYS = {
    "one, ms": (in_turn, False),
    "stacked": (stacked, False),
    "grouped": (grouped, False),
    r"stacked\*": (stacked, True),
    r"grouped\*": (grouped, True),
}
HEADER = ("network", "batch", "networks", "precision", *_WAYS)


def rows(device: torch.device, n_turns: int = _TURNS) -> Iterator[list[str]]:
    """Time all cases on a device; yield rows under `HEADER`. The first turn does not count."""
    precisions = _precisions(device)
    with one_thread():
        for case in itertools.product(_NETWORKS, _BATCHES, _NUMBERS, precisions):
            name, batch, n, precision = case
            first, *others = _seconds(_NETWORKS[name], (n, batch), precision, device, n_turns)
            one, kind = 1000 * statistics.median(first) / n, str(precision).removeprefix("torch.")
            yield [name, str(batch), str(n), kind, f"{one:.1f}", *(_ratio(first, other) for other in others)]


def _precisions(device: torch.device) -> list[torch.dtype]:
    """Return float32, and bfloat16 if the processor has instructions for it, or a GPU."""
    has = device.type != "cpu" or any(name in features() for name in ("avx512_bf16", "amx_bf16"))
    return [torch.float32, torch.bfloat16] if has else [torch.float32]


def _ratio(first: list[float], other: list[float]) -> str:
    """Return how many times as fast the other way is: the median over turns."""
    return f"{statistics.median(map(float.__truediv__, first, other)):.2f}" if other else "-"


def _seconds(
    arguments: dict[str, Any], shape: tuple[int, int], precision: torch.dtype, device: torch.device, n_turns: int
) -> list[list[float]]:
    """Return the seconds of steps of shape (n_networks, batch) in each way; none of one without this precision."""
    generator, (n, batch) = torch.Generator().manual_seed(1), shape
    series = torch.randn(n, batch, arguments["in_channels"], N_TIMES, generator=generator).to(device)
    ages = torch.randn(n, batch, generator=generator).to(device)
    compared: list[tuple[list[Trained], int, list[float]]] = []
    for way, one_batch in _WAYS.values():
        torch.manual_seed(0)
        networks = [Variable1DCNN(**arguments).to(device) for _ in range(n)]
        # In `vmap`, autocast does not act on convolutions.
        has = way is not stacked or precision is torch.float32
        compared.append((way(networks, one_batch=one_batch) if has else [], 1 if one_batch else n, []))
    for _ in range(n_turns):
        for trained, given, seconds in filter(operator.itemgetter(0), compared):
            started = _now(device)
            train(trained, series[:given], ages[:given], precision)
            seconds.append(_now(device) - started)
    return [seconds[1:] for _, _, seconds in compared]


def train(trained: list[Trained], series: Tensor, ages: Tensor, precision: torch.dtype = torch.float32) -> None:
    """Train all networks on their batches, or on the only one."""
    n = len(trained)
    for one, own_series, own_ages in zip(trained, series.chunk(n), ages.chunk(n), strict=True):
        one.step(own_series, own_ages, precision)


def _now(device: torch.device) -> float:
    """Return CPU time, as other programs may run; on a GPU the time at which it has finished."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def section(found: list[list[str]], facts: dict[str, str]) -> Iterator[str]:
    """Yield the lines of the section of the docs."""
    yield from (f"## {TITLE}", "", "`python -m benchmarks.several` repeats this.", "")
    yield f"Measured {facts['date']} at commit `{facts['commit']}` on {facts['machine']}; processor features:"
    yield f"{facts['features']}. *One, ms*: CPU time of a step of one network that is trained by itself, on one thread."
    yield "The other columns are how many times as fast several networks of one architecture are together, median of"
    yield f"{_TURNS - 1} turns: *stacked* by `torch.func.vmap`, whose convolutions stay in float32 under autocast, and"
    yield "*grouped* in convolutions with a group for each network; with \\* all networks have the same batches, which"
    yield "the runs of an ensemble do not. On a GPU: not measured; `benchmarks/gpu.sh` does it."
    yield from ("", *largest(found), "")
    yield f"| {' | '.join(HEADER)} |"
    yield f"|{'---|' * len(HEADER)}"
    yield from (f"| {' | '.join(row)} |" for row in found)


def largest(found: list[list[str]]) -> Iterator[str]:
    """Yield, for each network, how many times as fast the fastest way of all its cases is."""
    for name in dict.fromkeys(row[0] for row in found):
        own, same = (
            max(float(ratio) for row in found if row[0] == name for ratio in row[columns] if ratio != "-")
            for columns in (slice(5, 7), slice(7, 9))
        )
        yield f"- {name}: at most {own:.2f} times as fast with own batches, {same:.2f} with one batch."


def main() -> None:
    """Measure, print, and rewrite the section of the docs."""
    facts = about()  # before the files may change
    text = "\n".join(section(list(rows(torch.device("cpu"))), facts))
    print(text)
    rewrite_section(TITLE, text)


if __name__ == "__main__":
    main()
