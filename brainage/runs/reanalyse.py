"""Reanalysis of a finished run, of pooled folds, or of a table of predictions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from brainage.config.commands.report import ReportCommandConfig
from brainage.config.groups.groups import GroupsConfig
from brainage.config.schema import Config
from brainage.data.cohorts.select import select_from
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.data.participants import stored_participants
from brainage.errors import BrainageError, EvaluationError, MissingPathError
from brainage.evaluation.against import BaselinePredictions
from brainage.evaluation.analyse import Corrected, analyse
from brainage.evaluation.disclosure import shown_summary
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.variables import columns_to_read
from brainage.models import is_baseline
from brainage.reporting.about import About
from brainage.reporting.page import made_with
from brainage.reporting.terminal import show_findings
from brainage.runs.advice import advice
from brainage.runs.analyse import about_run, group_settings, progress, settings_of, write_findings
from brainage.runs.channels import read_channel_names
from brainage.runs.confounds import with_confounds
from brainage.runs.facts import key_facts
from brainage.runs.folds import are_draws, why_not_pooled
from brainage.runs.multirun_table import collect
from brainage.runs.pooling import pool_of
from brainage.runs.predictions_table import read_phenotypes, read_predictions
from brainage.runs.read import Run, read_run
from brainage.runs.report import baselines_of
from brainage.runs.rescans import read_rescans, read_rescans_of_folds
from brainage.runs.trained_on import check_same
from brainage.system.console import log
from brainage.system.reading import yaml_values


def report_on(config: ReportCommandConfig, folder: Path) -> None:
    """Analyse the run, folds or table that ``report.py`` was given; write the findings and print them."""
    findings, about = _analysed(config)
    write_findings(folder, findings, about)
    show_findings(findings)


def _analysed(config: ReportCommandConfig) -> tuple[Findings, About]:
    if config.predictions is not None:
        return _of_table(config, Path(config.predictions))
    source = Path(str(config.run))
    is_pooled = _is_multirun(source) or (source / "pooled_predictions.csv").is_file()
    return (_of_folds if is_pooled else _of_run)(config, source)


def _is_multirun(source: Path) -> bool:
    """Return whether this is the folder of a multirun; raise if its folds are not complete, or not of one model."""
    jobs = [path.parent for path in sorted(source.glob("*/config.yaml"))]
    if (source / "config.yaml").is_file() or not jobs:
        return False
    rows = collect(source)
    reason = why_not_pooled(source, rows)
    if reason is None and not (source / "pooled_predictions.csv").is_file() and not are_draws(rows):
        reason = "its jobs are not folds of one model."
    if reason is not None:
        raise EvaluationError(
            f"`run={source}` must be a run, or a multirun over folds that all finished, but it is a multirun whose "
            f"folds are not pooled: {reason} Or report one of its jobs, such as run={jobs[0]}."
        )
    return True


def _of_run(config: ReportCommandConfig, source: Path) -> tuple[Findings, About]:
    run = _without_withdrawn(read_run(source, "run", config.again), config)
    phenotypes, baselines, notes = _cohort_data(run, config)
    phenotypes, settings = _adjusted(config, run.config, phenotypes)
    notes = [*advice(run.summary, yaml_values(run.config_text)), *notes]
    findings = analyse(run.predictions, phenotypes, settings, baselines, notes=notes, progress=progress)
    about = about_run(source, run.summary, run.config_text, config.report.points)
    return findings, replace(about, rescans=read_rescans(source, findings))


def _of_folds(config: ReportCommandConfig, source: Path) -> tuple[Findings, About]:
    """Pool test participants; gaps are corrected fold by fold, by a fit on its validation participants, or crossfit."""
    folders = [path.parent for path in sorted(source.glob("*/predictions.csv"))]
    runs = [_without_withdrawn(read_run(folder, "run", config.again), config) for folder in folders]
    pool = pool_of(runs, source)
    (phenotypes, *_), *_ = data = [_cohort_data(run, config) for run in pool.runs]
    notes = [*pool.notes, *dict.fromkeys(note for _, _, some in data for note in some)]
    phenotypes, settings = _adjusted(config, runs[0].config, phenotypes)
    settings = replace(settings, rows="all", seen_sites=pool.label != "site")
    phenotypes, settings = pool.with_fold(phenotypes, settings)
    corrected: Corrected | None = None
    if settings.gap_correction in ("linear", "cole", "crossfit"):
        try:
            corrected = pool.corrected(phenotypes, settings)
        except EvaluationError as error:
            if settings.strict:
                raise
            notes = [*notes, f"No corrected gap: {error}"]
            settings = replace(settings, gap_correction="none")
    advised = dict.fromkeys(note for run in runs for note in advice(run.summary, yaml_values(run.config_text)))
    about = About(
        pool.title,
        [("folds", str(len(runs))), ("runs", str(source)), ("model", runs[0].label), *made_with()[1:]],
        runs[0].config_text,
        exclusions=None,
        points=config.report.points,
        key_facts=key_facts(runs[0].summary, yaml_values(runs[0].config_text), read_channel_names(runs[0].folder)),
        summary=shown_summary(runs[0].summary),
        is_baseline=is_baseline(runs[0].config.model_value("name")),
        folds=pool.fold_results(),
        repeats=pool.repeats(settings),
    )
    baselines = pool.baselines([found for _, found, _ in data])
    intervals = pool.intervals(settings)
    notes = [*advised, *notes]
    findings = analyse(pool.predictions, phenotypes, settings, baselines, corrected, intervals, notes, progress)
    rescans = None if pool.is_repeated else read_rescans_of_folds(folders, findings)
    return findings, replace(about, rescans=rescans)


def _of_table(config: ReportCommandConfig, path: Path) -> tuple[Findings, About]:
    if not path.is_file():
        raise MissingPathError(f"`predictions={path}` must be a table, but does not exist. Name an existing one.")
    predictions, notes = read_predictions(path, "predictions")
    groups = group_settings(_groups(config, GroupsConfig()))
    settings = replace(AnalysisSettings(strict=True, groups=groups), **_given(config))
    facts = [("table", path.name), ("rows", f"{len(predictions):,}"), ("gap correction", settings.gap_correction)]
    facts += made_with()[1:]
    about = About(f"Predictions in {path.name}", facts, exclusions=None, points=config.report.points)
    phenotypes, settings = with_confounds(
        read_phenotypes(path, settings.variables, settings.group_column, settings.covariates),
        settings,
        config.confounds,
    )
    return analyse(predictions, phenotypes, settings, notes=notes, progress=progress), about


def _adjusted(
    config: ReportCommandConfig, own: Config, phenotypes: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, AnalysisSettings]:
    """Return phenotypes with confounds, and the run's own settings, overridden by the command line.

    Where there are no phenotypes, no variables and covariates are named.
    """
    settings = _own_settings(config, own)
    if phenotypes is None or len(phenotypes.columns) < 2:
        settings = replace(settings, variables=None, covariates=None, planned=None)
    return with_confounds(phenotypes, settings, config.confounds or own.confounds)


def _own_settings(config: ReportCommandConfig, own: Config) -> AnalysisSettings:
    settings = replace(settings_of(own, strict=config.gap_correction is not None), **_given(config))
    return replace(settings, groups=group_settings(_groups(config, own.groups)))


def _groups(config: ReportCommandConfig, own: GroupsConfig) -> GroupsConfig:
    """Return the groups that the command line names, or else a run's own."""
    return replace(own, **{key: value for key, value in vars(config.groups).items() if value is not None})


def _given(config: ReportCommandConfig) -> dict[str, Any]:
    """Return the settings that the command line gives."""
    given = {
        "rows": config.associations.rows,
        "variables": config.associations.variables,
        "covariates": config.associations.covariates,
        "planned": config.associations.planned,
        "gap_correction": config.gap_correction,
        "interval_level": config.intervals.level,
        "interval_kind": config.intervals.kind,
        "permutations": config.permutations,
        "n_resamples": config.report.n_resamples,
        "seed": config.seed,
    }
    return {key: value for key, value in given.items() if value is not None}


def _without_withdrawn(run: Run, config: ReportCommandConfig) -> Run:
    """Return a run without the predictions of participants who are marked, or listed for this report."""
    given = config.again.get("cohort.exclude_ids")
    withdrawn = Withdrawn(None if given is None else Path(given), marked_in=(run.config.store.root,))
    gone = withdrawn.of(run.predictions["participant_id"])
    if not gone:
        return run
    log.info("%d participants of the run withdrew and are excluded", len(gone))
    kept = run.predictions[~run.predictions["participant_id"].isin(gone)]
    return replace(run, predictions=kept.reset_index(drop=True))


def _cohort_data(
    run: Run, given: ReportCommandConfig
) -> tuple[pd.DataFrame | None, list[BaselinePredictions], list[str]]:
    """Return the run's phenotypes, predictions of baselines, and notes on what is no longer available.

    Where the data were given again, it is an error if they cannot be read, or are not those of the run.
    """
    config = run.config
    settings = _own_settings(given, config)
    phenotypes = partial(
        columns_to_read, settings.variables, groups=settings.group_column, covariates=settings.covariates
    )
    try:
        selection = select_from(
            config.cohort, config.modality, stores=[config.store.root], phenotypes=phenotypes, is_new=False
        )
    except EvaluationError:  # a variable that the table lacks
        raise
    except BrainageError as error:
        if given.again:
            raise
        log.warning("%s", error)
        note = (
            "The cohort cannot be read any more: no associations, and no comparison with baselines. Name where its "
            "files are now with cohort.root=DIR and cohort.phenotypes=FILE."
        )
        return None, [], [note]
    if given.again:
        check_same(run, selection.table, None)
    split = run.predictions.set_index("participant_id")["split"]
    try:
        participants = stored_participants(selection, config.modality, config.store.root, split, write=False)
    except BrainageError as error:
        return selection.phenotypes, [], [f"No comparison with baselines: {error}"]
    if given.again:
        check_same(run, selection.table, participants)
    return selection.phenotypes, *baselines_of(config.model_value("name"), participants, [])
