"""The last step of a run: findings, their files and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from brainage.data.participants import Participants
from brainage.data.training_stats import aggregates_of
from brainage.evaluation.findings import analyse
from brainage.reporting.terminal import show_findings
from brainage.runs.analyse import about_run, settings_of, write_findings
from brainage.runs.record import Job
from brainage.training.baseline import ridge_predictions


def report(
    job: Job,
    summary: Mapping[str, Any],
    participants: Participants,
    phenotypes: pd.DataFrame,
    predictions: pd.DataFrame,
) -> None:
    """Analyse predictions, and write tables, ``training.json`` and the report."""
    config, folder = job.config, job.folder
    ridge, notes = ridge_predictions(config.model_value("name"), participants)
    findings = analyse(predictions, phenotypes, settings_of(config), ridge, notes=notes)
    write_findings(folder.path, findings, about_run(folder.path, summary, job.config_text, config.report.points))
    training = participants.part("train")
    statistics = aggregates_of(training.ages, training.store, training.rows, np.array(training.channels))
    folder.write_text("training.json", json.dumps(statistics.as_json(), indent=2) + "\n")
    if not job.quiet:
        show_findings(findings)
