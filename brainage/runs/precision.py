"""``trainer.precision=auto``: bfloat16 where the processor has instructions for it and the network is large enough."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from brainage.config.hydra import parse
from brainage.config.rules import AUTO
from brainage.config.saved import read_config
from brainage.config.schema import Config
from brainage.errors import BrainageError
from brainage.models import geometry, is_baseline
from brainage.system.files import as_output_error, open_file, partial_of

BFLOAT16, FLOAT32 = "bf16-mixed", "32-true"

# Processor features, as Linux names them, by which torch computes convolutions in bfloat16 faster than in float32.
_FEATURES = frozenset({"avx512_bf16", "amx_bf16"})
# Multiplications of a participant's series from which on it surely does. Of ten networks measured on a processor with
# AMX, the six with more took 0.3 to 0.6 of the time of float32, the four with less 0.6 to 0.9, elsewhere nothing.
_MIN_MULTIPLICATIONS = 2_000_000

# Where a multirun's first job notes its precision for the others.
_SHARED = ".precision"


def precision_of(config: Config, features: Collection[str], *, has_gpu: bool) -> str:
    """Return the precision of a run on a machine; it depends on nothing else, so the same command gives the same bits.

    Parameters
    ----------
    config : Config
        A checked config, of a feasible network.
    features : collection of str
        The processor's features.
    has_gpu : bool
        Whether there is a GPU. On GPUs bfloat16 was not measured, and must be asked for.
    """
    accelerator, name = config.trainer.arguments()["accelerator"], config.model_value("name")
    on_cpu = accelerator == "cpu" or (accelerator == AUTO and not has_gpu)
    if is_baseline(name) or not on_cpu or _FEATURES.isdisjoint(features):
        return FLOAT32
    n_multiplications = geometry.multiplications(name, {"name": name, **config.network_arguments})
    return BFLOAT16 if n_multiplications >= _MIN_MULTIPLICATIONS else FLOAT32


def with_precision(composed: DictConfig, job: Path, multirun: Path | None) -> DictConfig:
    """Return a config whose ``trainer.precision=auto`` is replaced: by that of the job's earlier start, or of others.

    `job` is the job's folder, `multirun` that of all jobs. A config with a mistake is returned as it is.
    """
    if OmegaConf.select(composed, "trainer.precision", throw_on_missing=False) != AUTO:
        return composed
    if (job / "config.yaml").is_file():
        found = OmegaConf.select(read_config(job / "config.yaml"), "trainer.precision")
    else:
        try:
            config = parse(composed)
            geometry.check(config.model_value("name"), config.model)
        except BrainageError:
            return composed
        found = precision_of(config, _processor_features(), has_gpu=_has_gpu())
        if multirun is not None:
            found = _first(multirun / _SHARED, found)
    composed = composed.copy()
    composed.trainer.precision = found
    return composed


def _first(path: Path, own: str) -> str:
    """Return what the first job has written; this one's, if it is the first."""
    with as_output_error(path.parent):
        partial = partial_of(path)
        partial.write_text(own)
        try:
            path.hardlink_to(partial)  # fails if there is one, and is never read half written
        except FileExistsError:
            with open_file(path, limit=100) as file:
                return BFLOAT16 if file.read() == BFLOAT16 else FLOAT32
        finally:
            partial.unlink()
    return own


def _processor_features() -> frozenset[str]:
    """Return the processor's features; none on other systems than Linux."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    return frozenset()


def _has_gpu() -> bool:
    """Return whether a driver of NVIDIA or AMD is loaded; torch would take seconds to say it."""
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))
