"""One run of MLflow for each run's folder."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainage.config.instantiate import instance

# MLflow neither tells its makers how it is used, nor sets how this process logs; and a run does not wait for minutes.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
# Loggers that say that tables and experiments are new, or that a server is asked again.
_TALKATIVE = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,
    "pytorch_lightning.loggers.mlflow": logging.ERROR,
    "urllib3": logging.ERROR,
}
_LOCAL = "sqlite:///"


def with_run(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an MLflow logger's config with the ``run_id`` of the run that has its tag ``run``, if there is one."""
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    for logger, level in _TALKATIVE.items():
        logging.getLogger(logger).setLevel(level)
    uri, tag = str(entry["tracking_uri"]), str((entry.get("tags") or {}).get("run"))
    if uri.startswith(_LOCAL):
        Path(uri.removeprefix(_LOCAL)).parent.mkdir(parents=True, exist_ok=True)
    if entry.get("run_id") or not re.fullmatch(r"\w+", tag):
        return dict(entry)
    client = instance(f"logger.{name}", {"_target_": "mlflow.MlflowClient", "tracking_uri": uri})
    experiment = client.get_experiment_by_name(entry["experiment_name"])
    runs = client.search_runs([experiment.experiment_id], f"tags.run = '{tag}'", max_results=1) if experiment else []
    return {**entry, "run_id": runs[0].info.run_id if runs else None}
