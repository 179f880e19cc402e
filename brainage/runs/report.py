"""The last step of a run: findings, their files and the report."""

from __future__ import annotations

import json

import pandas as pd

from brainage.data.cohorts.select import Selection
from brainage.data.participants import Participants
from brainage.data.training_stats import aggregates_of
from brainage.evaluation.findings import analyse
from brainage.reporting.terminal import show_findings
from brainage.runs.analyse import about_run, settings_of, write_findings
from brainage.runs.record import Job, Results, summary_of
from brainage.training.baseline import ridge_predictions


def report(job: Job, results: Results, selection: Selection, predictions: pd.DataFrame) -> None:
    """Analyse predictions, and write tables, ``training.json`` and the report."""
    assert results.prepared is not None
    config, folder, participants = job.config, job.folder.path, results.prepared.participants
    ridge, notes = ridge_predictions(config.model_value("name"), participants)
    findings = analyse(predictions, selection.phenotypes, settings_of(config), ridge, notes=notes)
    summary = summary_of(results, "finished", None, 0.0)
    write_findings(folder, findings, about_run(folder, summary, job.config_text, config.report.points))
    job.folder.write_text("training.json", _training_statistics(participants.part("train")))
    if not job.quiet:
        show_findings(findings)


def _training_statistics(training: Participants) -> str:
    """Return what the training participants are like, in numbers that identify no one."""
    channels = pd.Index(training.channels).to_numpy()
    statistics = aggregates_of(training.ages, training.store, training.rows, channels)
    return json.dumps(statistics.as_json(), indent=2) + "\n"
