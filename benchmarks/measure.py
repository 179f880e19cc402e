"""Shared by all benchmarks: results, and running commands with their time and memory."""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]

# Architectures from small to large: kernel_size, depth, stride, start_out; no double convolutions, batch normalisation.
PANEL = ((11, 1, 2, 8), (6, 3, 3, 16), (6, 1, 5, 128), (10, 2, 5, 128))


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Parameters
    ----------
    name : str
        Name of the measurement.
    value : float
        Median over the repetitions, or a sum of medians.
    limit : float
        Upper limit of the value, or lower with ``at_least``.
    unit : str
        ``ratio``, ``s`` or ``GB``.
    at_least : bool
        Whether the limit is a lower one.
    each : list of float
        Value of each repetition.
    note : str
        Details of the measurement.
    """

    name: str
    value: float
    limit: float
    unit: str = "ratio"
    at_least: bool = False
    each: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the limit is met."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def of_medians(name: str, values: Iterable[float], limit: float, **more: object) -> Result:
    """Return a result whose value is the median of the given ones."""
    each = [float(value) for value in values]
    return Result(name, statistics.median(each), limit, each=each, **more)  # type: ignore[arg-type]


def panel_words(architecture: tuple[int, int, int, int]) -> list[str]:
    """Return the overrides for an architecture of the panel."""
    kernel_size, depth, stride, start_out = architecture
    return [
        "model=variable1dcnn",
        "recipe=none",  # as the loops that it is compared with
        f"model.kernel_size={kernel_size}",
        f"model.depth={depth}",
        f"model.stride={stride}",
        f"model.start_out={start_out}",
        "model.double_conv=false",
        "model.batch_norm=true",
    ]


def panel_name(architecture: tuple[int, int, int, int]) -> str:
    """Return a short name of an architecture of the panel."""
    return "({}, {}, {}, no, {})".format(*architecture)


@dataclass(frozen=True)
class Completed:
    """A completed command.

    Parameters
    ----------
    seconds : float
        Wall-clock time.
    peak : float
        Peak unique memory (USS) of the process and its children, in bytes; 0 unless watched.
    out : str
        Standard output and error.
    """

    seconds: float
    peak: float
    out: str


def run(folder: Path, *words: str, expect: int = 0, watch: bool = False) -> Completed:
    """Run ``python WORDS`` in a folder; ``watch`` records its memory."""
    started = time.perf_counter()
    with (folder / "output.txt").open("w+") as output:
        process = subprocess.Popen([sys.executable, *words], cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        peak = _watched(process) if watch else 0.0
        code = process.wait()
        seconds = time.perf_counter() - started
        output.seek(0)
        out = output.read()
    if code != expect:
        raise RuntimeError(f"{' '.join(words)} ended with {code}:\n{out}")
    return Completed(seconds, peak, out)


def _watched(process: subprocess.Popen[bytes]) -> float:
    """Return the peak unique memory of a process and its children."""
    watched, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        with suppress(psutil.Error):
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(member.memory_full_info().uss for member in family))
        time.sleep(0.2)
    return peak


# Processor features that decide how fast a network is, as Linux names them.
_FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")


def processor() -> str:
    """Return the name of the processor."""
    return _cpuinfo("model name") or platform.machine()


def features() -> str:
    """Return which features the processor has that networks need to be fast."""
    has = _cpuinfo("flags").split()
    return ", ".join(name for name in _FEATURES if name in has) or "unknown"


def _cpuinfo(name: str) -> str:
    """Return what Linux says of the first processor; nothing on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def rewrite_section(title: str, text: str) -> None:
    """Replace a section of ``docs/benchmarks.md``, which begins with ``## title``; add it at the end if it is new."""
    docs = ROOT / "docs" / "benchmarks.md"
    docs.write_text(with_section(docs.read_text(), title, text))


def with_section(page: str, title: str, text: str) -> str:
    """Return a page with a section replaced, or added at the end."""
    before, _, rest = page.partition(f"\n## {title}\n")
    _, found, after = rest.partition("\n## ")
    return f"{before.rstrip()}\n\n{text.rstrip()}\n{found}{after}"
