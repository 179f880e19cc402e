"""Imported last by the server of forks: what commands import only when they need it, which takes seconds."""

import gc

import alembic.command  # noqa: F401
import matplotlib.backends.backend_agg  # noqa: F401
import optuna.storages._rdb.alembic  # noqa: F401
import pygments.formatters  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401
import torch.utils.tensorboard  # noqa: F401
import wandb.sdk.launch  # noqa: F401

from brainage.config.hydra import register

register()
# Forks do not collect what was imported, which would copy its memory.
gc.collect()
gc.freeze()
