"""After a run's results are final: findings, their files, the report, and what is printed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np

from brainage.data.participants import Participants
from brainage.data.traits import traits_of
from brainage.evaluation.against import BaselinePredictions
from brainage.evaluation.analyse import analyse
from brainage.evaluation.findings import Findings
from brainage.evaluation.training_stats import Aggregates, spread_of
from brainage.models import build_baseline, is_baseline
from brainage.reporting.page import Page
from brainage.reporting.run_figures import shareable
from brainage.reporting.run_summary import show_summary
from brainage.reporting.terminal import show_findings
from brainage.runs.advice import advice
from brainage.runs.analyse import about_run, progress, settings_of, write_findings
from brainage.runs.confounds import with_confounds
from brainage.runs.folder import RunFolder
from brainage.runs.record import Job, Results
from brainage.runs.rescans import read_rescans
from brainage.system.failures import noted
from brainage.system.output import lost_output
from brainage.system.reading import yaml_values
from brainage.training.baseline import compared_baselines, refitted_chance


def report(job: Job, summary: Mapping[str, Any], results: Results, notes: list[str]) -> None:
    """Write the report and print; what fails is added to the notes, and does not change that the run is finished."""
    prepared, predictions, phenotypes = results.prepared, results.predictions, results.phenotypes
    findings = None
    if results.loggers is not None:
        results.loggers.log_results(summary)
    if prepared is not None and predictions is not None and phenotypes is not None:
        with noted(notes, "`training.json` was not written"):
            _write_statistics(job.folder, prepared.participants)
        with noted(notes, "The report was not written"):
            baselines, other_notes = baselines_of(job.config.model_value("name"), prepared.participants, notes)
            phenotypes, settings = with_confounds(phenotypes, settings_of(job.config), job.config.confounds)
            found = [*advice(summary, yaml_values(job.config_text)), *other_notes]
            findings = analyse(predictions, phenotypes, settings, baselines, notes=found, progress=progress)
            findings = _with_refits(findings, job, prepared.participants)
            about = about_run(job.folder.path, summary, job.config_text, job.config.report.points)
            about = replace(about, rescans=read_rescans(job.folder.path, findings))
            page = write_findings(job.folder.path, findings, about)
            if results.loggers is not None:
                results.loggers.log_figures(_shown(page, findings, about.points), summary["epochs"])
    with noted(notes, "The results were not printed"), _for_log_only() if job.quiet else nullcontext():
        _show(findings, summary, job.folder)
    if (reason := lost_output()) is not None:
        notes.append(f"What was printed did not reach its reader: {reason}.")


def _with_refits(findings: Findings, job: Job, participants: Participants) -> Findings:
    """Return the findings with the test of a ridge by refits to permuted ages."""
    config, name = job.config, job.config.model_value("name")
    if not is_baseline(name):
        return findings
    estimator = build_baseline(name, config.network_arguments, config.harmonize)
    found = refitted_chance(estimator, participants, n_permutations=config.permutations, seed=config.seed)
    return replace(findings, refitted=found)


def _shown(page: Page, findings: Findings, points: str) -> dict[str, bytes]:
    """Return the page's figures by name, as densities where they show single participants."""
    figures = [figure for section in page.sections for figure in section.figures if figure.svg]
    figures += shareable(findings) if points != "none" else []
    return {figure.name: figure.png for figure in figures}


def baselines_of(
    model: str, participants: Participants, failures: list[str]
) -> tuple[list[BaselinePredictions], list[str]]:
    """Return `compared_baselines` and its notes; a failure is a note, also in `failures`."""
    failed: list[str] = []
    with noted(failed, "No comparison with baselines"):
        return compared_baselines(model, participants)
    failures += failed
    return [], failed


def _write_statistics(folder: RunFolder, participants: Participants) -> None:
    training = participants.part("train")
    traits = traits_of(training.store, training.rows, np.array(training.channels), training.scale)
    statistics = Aggregates(spread_of(training.ages), {name: spread_of(values) for name, values in traits})
    folder.write_text("training.json", json.dumps(statistics.as_json(), indent=2) + "\n")


def _for_log_only() -> AbstractContextManager[object]:
    """Print nothing; what is printed is written to the run's log too."""
    return redirect_stdout(io.StringIO())


def _show(findings: Findings | None, summary: Mapping[str, Any], folder: RunFolder) -> None:
    if findings is not None:
        show_findings(findings)
    show_summary(summary, folder.path)
