"""Reanalysis of a finished run, of pooled folds, or of a table of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainage.config.commands import ReportCommandConfig
from brainage.config.groups.groups import GroupsConfig
from brainage.config.schema import Config
from brainage.data.cohorts.select import select_from
from brainage.data.cohorts.withdrawn import Withdrawn
from brainage.data.participants import stored_participants
from brainage.errors import BrainageError, EvaluationError, MissingPathError
from brainage.evaluation.against import BaselinePredictions
from brainage.evaluation.conformal import Intervals, intervals_in
from brainage.evaluation.disclosure import shown_summary
from brainage.evaluation.findings import AnalysisSettings, Corrected, Findings, analyse, reference_of
from brainage.evaluation.folds import FoldResults, fold_of
from brainage.evaluation.gap import corrected_across_folds, corrected_gaps
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
from brainage.runs.folds import why_not_pooled
from brainage.runs.multirun_table import collect
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
    _check_folds(source)
    return (_of_folds if (source / "pooled_predictions.csv").is_file() else _of_run)(config, source)


def _check_folds(source: Path) -> None:
    """Raise if this is the folder of a multirun whose folds are not complete."""
    jobs = [path.parent for path in sorted(source.glob("*/config.yaml"))]
    if (source / "config.yaml").is_file() or not jobs:
        return
    reason = why_not_pooled(source, collect(source))
    if reason is None and not (source / "pooled_predictions.csv").is_file():
        reason = "its jobs are not folds of one split."
    if reason is not None:
        raise EvaluationError(
            f"`run={source}` must be a run, or a multirun over folds that all finished, but it is a multirun whose "
            f"folds are not pooled: {reason} Or report one of its jobs, such as run={jobs[0]}."
        )


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
    pooled = _pooled(runs, source)
    (phenotypes, *_), *_ = data = [_cohort_data(run, config) for run in runs]
    notes = list(dict.fromkeys(note for _, _, some in data for note in some))
    seen = _label(runs[0]) != "site"
    phenotypes, settings = _adjusted(config, runs[0].config, phenotypes)
    settings = replace(settings, rows="all", seen_sites=seen)
    if phenotypes is not None and seen:
        phenotypes, settings = _with_fold(runs, pooled, phenotypes, settings)
    corrected: Corrected | None = None
    if settings.gap_correction in ("linear", "cole", "crossfit"):
        try:
            reference = reference_of(pooled, phenotypes, settings)
            corrected = _corrected_by_fold(runs, pooled, settings.gap_correction, reference)
        except EvaluationError as error:
            if settings.strict:
                raise
            notes = [*notes, f"No corrected gap: {error}"]
            settings = replace(settings, gap_correction="none")
    advised = dict.fromkeys(note for run in runs for note in advice(run.summary, yaml_values(run.config_text)))
    notes = [*advised, *notes]
    about = About(
        f"{runs[0].label}, {len(runs)} folds pooled",
        [("folds", str(len(runs))), ("runs", str(source)), ("model", runs[0].label), *made_with()[1:]],
        runs[0].config_text,
        exclusions=None,
        points=config.report.points,
        key_facts=key_facts(runs[0].summary, yaml_values(runs[0].config_text), read_channel_names(runs[0].folder)),
        summary=shown_summary(runs[0].summary),
        is_baseline=is_baseline(runs[0].config.model_value("name")),
        folds=_fold_results(runs),
    )
    intervals = _intervals_by_fold(runs, settings)
    baselines = _pooled_baselines(runs, [found for _, found, _ in data])
    findings = analyse(pooled, phenotypes, settings, baselines, corrected, intervals, notes, progress)
    return findings, replace(about, rescans=read_rescans_of_folds([run.folder for run in runs], findings))


def _pooled_baselines(runs: Sequence[Run], found: Sequence[Sequence[BaselinePredictions]]) -> list[BaselinePredictions]:
    """Return what baselines, fitted in each fold, predict of its test participants, if all folds have them."""
    each = [{one.name: one for one in baselines} for baselines in found]
    pooled = []
    for name, first in each[0].items():
        if all(name in others for others in each):
            tables = [
                others[name].table[others[name].table["participant_id"].isin(_tested(run))]
                for run, others in zip(runs, each, strict=True)
            ]
            pooled.append(replace(first, table=pd.concat(tables, ignore_index=True)))
    return pooled


def _tested(run: Run) -> pd.Series:
    return run.predictions.loc[run.predictions["split"] == "test", "participant_id"]


def _with_fold(
    runs: Sequence[Run], pooled: pd.DataFrame, phenotypes: pd.DataFrame, settings: AnalysisSettings
) -> tuple[pd.DataFrame, AnalysisSettings]:
    """Return phenotypes with each participant's fold, as one more covariate: each fold's network has its own offset."""
    name = next(name for name in ("fold", "split.fold") if name not in phenotypes)
    fold = pd.DataFrame(
        {"participant_id": pooled["participant_id"], name: [_fold(run) for run in runs for _ in _tested(run)]}
    )
    known = phenotypes.merge(fold, on="participant_id", how="left")
    return known, replace(settings, confounds=(*settings.confounds, name))


def _fold_results(runs: Sequence[Run]) -> FoldResults:
    """Return the accuracy of each fold on its test participants."""
    shown = [shown_summary(run.summary) for run in runs]
    label = _label(runs[0])
    folds = [
        fold_of(
            _fold(run).removeprefix(f"{label} "),
            run.predictions[run.predictions["split"] == "test"],
            summary["metrics"]["test"],
        )
        for run, summary in zip(runs, shown, strict=True)
    ]
    return FoldResults(label, folds)


def _pooled(runs: Sequence[Run], source: Path) -> pd.DataFrame:
    """Return the test participants of all folds."""
    if not runs:
        raise EvaluationError(
            f"`run={source}` must contain the runs of its folds, but there are none. Resume its jobs, or report "
            f"predictions={source / 'pooled_predictions.csv'} gap_correction=in_sample."
        )
    pooled = pd.concat([run.predictions[run.predictions["split"] == "test"] for run in runs], ignore_index=True)
    if pooled["participant_id"].duplicated().any():
        raise EvaluationError(
            f"`run={source}` must contain folds that test each participant once, but some are tested in several of its "
            f"{len(runs)} runs. Report one run at a time."
        )
    return pooled


def _corrected_by_fold(
    runs: Sequence[Run], pooled: pd.DataFrame, method: str, reference: NDArray[np.bool_]
) -> Corrected:
    if method == "crossfit":
        folds = [_fold(run) for run in runs for part in run.predictions["split"] if part == "test"]
        return corrected_across_folds(pooled, pd.Series(folds, pooled.index), reference)
    found = [_corrected_in(run, method) for run in runs]
    return pd.concat([gaps for gaps, _ in found], ignore_index=True), [fit for _, fits in found for fit in fits]


def _corrected_in(run: Run, method: str) -> Corrected:
    parts = {part: group for part, group in run.predictions.groupby("split")}
    gaps, fits = corrected_gaps(parts["test"], parts["val"], method)
    return gaps, [replace(fit, fitted_on=f"validation of {_fold(run)}") for fit in fits]


def _label(run: Run) -> str:
    return "site" if hasattr(run.config.split, "site") else "fold"


def _intervals_by_fold(runs: Sequence[Run], settings: AnalysisSettings) -> Intervals:
    """Return the intervals of pooled test participants, each by the validation participants of its fold."""
    found = [intervals_in(run.predictions, settings.interval_level, settings.interval_kind) for run in runs]
    if reason := next((one.reason for one in found if one.reason), ""):
        return Intervals(reason=reason)
    bounds = pd.concat([one.bounds for one in found], ignore_index=True)
    return Intervals(bounds, [fit for one in found for fit in one.fits])


def _fold(run: Run) -> str:
    label = _label(run)
    return f"{label} {getattr(run.config.split, label, None)}"


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
