"""Several tasks with one command, as clusters start them."""

from __future__ import annotations

import pytest

from brainage.errors import ConfigError
from brainage.system.tasks import refuse_several_tasks


@pytest.mark.parametrize(
    ("environment", "refused"),
    [
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, None),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, None),
        ({"SLURM_NTASKS": "4"}, "SLURM_NTASKS"),
        ({"SLURM_STEP_NUM_TASKS": "2"}, "SLURM_STEP_NUM_TASKS"),
        ({"WORLD_SIZE": "2", "RANK": "1"}, "WORLD_SIZE"),
        ({"RANK": "1"}, None),
    ],
)
def test_only_more_than_one_task_is_refused(
    environment: dict[str, str], refused: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_NTASKS", "SLURM_STEP_NUM_TASKS", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if refused is None:
        refuse_several_tasks()
        return
    with pytest.raises(ConfigError, match=f"`{refused}` must be 1 for a run"):
        refuse_several_tasks()
