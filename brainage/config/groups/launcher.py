"""Schema of jobs of SLURM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from omegaconf import OmegaConf

from brainage.config.rules import Bounds, Count, checked, require
from brainage.system.slurm import check_slurm
from brainage.system.tasks import array_number

# The choice of ``hydra/launcher``.
SLURM = "submitit_slurm"


@checked("hydra.launcher")
@dataclass
class SlurmConfig:
    """Jobs of SLURM. What is None is left to the cluster.

    Parameters
    ----------
    partition, account, qos, constraint : str or None
        Queue, account, quality of service, and constraint on nodes.
    timeout_min : int
        Time limit of a job, in minutes. A job that needs longer is requeued, and continues after its last epoch.
    max_num_timeout : int
        Number of times that a job may reach its time limit before it ends.
    signal_delay_s : int
        How long before the time limit a job stops and is requeued, in seconds.
    mem_gb : float or None
        Memory of each job, in GB.
    cpus_per_task : int
        Number of cores of each job, which torch uses.
    gpus_per_node : int or None
        Number of GPUs of each job.
    array_parallelism : int
        Largest number of jobs of a grid, or workers of a sweep, at the same time.
    setup : list of str
        Shell commands at the start of a job, such as ``module load cuda``.
    additional_parameters : dict
        Further options of ``sbatch`` by name.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    timeout_min: Count = 240
    max_num_timeout: Annotated[int, Bounds(ge=0)] = 20
    signal_delay_s: Annotated[int, Bounds(ge=1)] = 120
    mem_gb: Annotated[float | None, Bounds(gt=0)] = 8
    cpus_per_task: Count = 2
    gpus_per_node: Annotated[int | None, Bounds(ge=1)] = None
    array_parallelism: Count = 256
    setup: list[str] = field(default_factory=list)
    additional_parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that a job has time to stop."""
        longest = 60 * self.timeout_min - 1
        key = "hydra.launcher.signal_delay_s"
        require(self.signal_delay_s <= longest, key, f"at most {longest} with this time limit", self.signal_delay_s)

    @property
    def of_submitit(self) -> Mapping[str, Any]:
        """The settings under the names of submitit."""
        # Since 22.05, srun does not take the number of cores from the job.
        cores = "export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"
        others = {key: value for key, value in vars(self).items() if value is not None and key not in _RENAMED}
        return {
            **others,
            **({} if self.mem_gb is None else {"mem": f"{round(1024 * self.mem_gb)}MB"}),
            "time": self.timeout_min,
            "job_name": "brainage",
            "setup": [cores, *self.setup],
            "additional_parameters": {"requeue": True, **self.additional_parameters},
        }


# The first is of submitit's executor, others have other names or values there.
_RENAMED = ("max_num_timeout", "timeout_min", "mem_gb", "setup", "additional_parameters")


def slurm_of(composed: Any) -> SlurmConfig | None:
    """Return how the jobs of a composed command are submitted to SLURM; None if they run here.

    Raises a `ConfigError` if they cannot be submitted.
    """
    if composed.hydra.runtime.choices["hydra/launcher"] != SLURM or array_number() is not None:
        return None
    check_slurm()
    given: Any = OmegaConf.to_container(composed.hydra.launcher, resolve=True)
    return SlurmConfig(**{key: value for key, value in given.items() if not key.startswith("_")})
