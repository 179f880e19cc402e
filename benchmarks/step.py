"""Ways to compute a training step: CPU time on one thread, a table in the page of ``python -m benchmarks``.

CPU time, and not the clock's, because other programs may run. Each turn times all ways once.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from brainage.models import channels_last
from brainage.models.variable1dcnn import Variable1DCNN

N_TIMES = 490
_BATCH, _TURNS, _WARM_UP = 128, 15, 3
_DOUBLE = {"double_conv": True, "batch_norm": True, "depth": 1}
NETWORKS: dict[str, dict[str, Any]] = {
    "final, 21 components": {"in_channels": 21, "kernel_size": 6, "start_out": 64, "stride": 4, **_DOUBLE},
    "final, 55 components": {"in_channels": 55, "kernel_size": 9, "start_out": 128, "stride": 5, **_DOUBLE},
    "pooled1dcnn": {
        "in_channels": 21,
        "kernel_size": 4,
        "start_out": 64,
        "stride": 4,
        "readout": "global_average",
        **_DOUBLE,
    },
    "variable1dcnn": {"in_channels": 21, "kernel_size": 5, "start_out": 32, "stride": 2, "depth": 4},
    "smallest of the panel": {
        "in_channels": 21,
        "kernel_size": 11,
        "start_out": 8,
        "stride": 2,
        "depth": 1,
        "batch_norm": True,
    },
}


@dataclass
class Way:
    """A way to compute a step, and the seconds that it took."""

    name: str
    precision: torch.dtype = torch.bfloat16
    has_channels_last: bool = True
    optimizer: dict[str, bool] = field(default_factory=dict)
    compile: Callable[[Variable1DCNN], Variable1DCNN] = lambda network: network
    seconds: list[float] = field(default_factory=list)

    def start(self, arguments: dict[str, Any]) -> None:
        """Make the network and its optimizer."""
        torch.manual_seed(0)
        network = Variable1DCNN(**arguments)
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, **self.optimizer)  # type: ignore[arg-type]
        self._network = self.compile(network)

    def step(self, series: Tensor, ages: Tensor) -> None:
        """Train on a batch."""
        started = time.process_time()
        self._optimizer.zero_grad()
        usual = mock.patch.object(channels_last, "is_faster", lambda *_: False)
        layout = nullcontext() if self.has_channels_last else usual
        with layout, torch.autocast("cpu", torch.bfloat16, enabled=self.precision is torch.bfloat16):
            predicted = self._network(series)
        mse_loss(predicted.squeeze(1), ages).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.seconds.append(time.process_time() - started)


def ways() -> list[Way]:
    """Return what is compared; the third is what `trainer.precision=bf16-mixed` does."""
    return [
        Way("float32", precision=torch.float32),
        Way("bfloat16", has_channels_last=False),
        Way("+ channels last"),
        Way("+ fused AdamW", optimizer={"fused": True}),
        Way("+ foreach AdamW", optimizer={"foreach": True}),
        Way("compiled", has_channels_last=False, compile=_compiled),
    ]


def _compiled(network: Variable1DCNN) -> Variable1DCNN:
    network.encoder = torch.compile(network.encoder)  # type: ignore[assignment]
    return network


def section() -> Iterator[str]:
    """Time all ways for each network; yield the lines of a section in Markdown, with medians in milliseconds."""
    names = [way.name for way in ways()]
    yield from ("", "## A training step", "")
    yield f"CPU time in ms of a step of {_BATCH} participants on one thread, median of {_TURNS - _WARM_UP}."
    yield "`bf16-mixed` is *+ channels last*. The ways after it are not used; compiling takes 15 s or more at first."
    yield from ("", f"| network | {' | '.join(names)} |", f"|---|{'---|' * len(names)}")
    for name, arguments in NETWORKS.items():
        yield f"| {name} | {' | '.join(f'{1000 * seconds:.1f}' for seconds in _medians(arguments))} |"


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _medians(arguments: dict[str, Any]) -> list[float]:
    generator, compared = torch.Generator().manual_seed(1), ways()
    series = torch.randn(_BATCH, arguments["in_channels"], N_TIMES, generator=generator)
    ages = torch.randn(_BATCH, generator=generator)
    with one_thread():
        for way in compared:
            way.start(arguments)
        for _ in range(_TURNS):
            for way in compared:
                way.step(series, ages)
    return [statistics.median(way.seconds[_WARM_UP:]) for way in compared]
