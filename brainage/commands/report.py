"""``report.py``: findings of a finished run, of pooled folds, or of a table that was made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from brainage.config.commands import ReportCommandConfig
from brainage.config.hydra import parse_as
from brainage.config.schema import Config
from brainage.errors import BrainageError, EvaluationError, MissingPathError
from brainage.system.console import log
from brainage.system.session import carry_out

if TYPE_CHECKING:
    import pandas as pd

    from brainage.evaluation.findings import Options
    from brainage.evaluation.gap import Correction
    from brainage.runs.read import Run


def report(composed: DictConfig) -> None:
    """Report; see `carry_out`.

    Parameters
    ----------
    composed : DictConfig
        Of ``configs/report.yaml``.
    """

    def work(folder: Path) -> None:
        config = parse_as(composed, ReportCommandConfig)
        if config.predictions is not None:
            _report_table(config, Path(config.predictions), folder)
        elif (Path(str(config.run)) / "pooled_predictions.csv").is_file():
            _report_pooled(config, Path(str(config.run)), folder)
        else:
            _report_run(config, Path(str(config.run)), folder)
        print(f"Report: {folder / 'report.html'}")

    carry_out(work)


def _report_run(config: ReportCommandConfig, source: Path, folder: Path) -> None:
    from brainage.evaluation.findings import analyse
    from brainage.runs.analyse import about_run, show_findings, write_findings
    from brainage.runs.read import read_run

    run = read_run(source, "run")
    phenotypes, ridge, notes = _beside(run)
    options = _without_unknown(_options(config, run.config), phenotypes)
    findings = analyse(run.predictions, phenotypes, options, ridge)
    findings.notes.extend(notes)
    points = config.report.points or run.config.report.points
    write_findings(folder, findings, about_run(source, run.summary, run.config_text, points))
    show_findings(findings)


def _report_pooled(config: ReportCommandConfig, source: Path, folder: Path) -> None:
    """Report everybody once: each fold's gaps are corrected by a fit on that fold's own validation participants."""
    import pandas as pd

    from brainage.evaluation.findings import analyse
    from brainage.reporting.run_page import About
    from brainage.runs.analyse import show_findings, write_findings
    from brainage.runs.read import read_run

    runs = [read_run(path.parent, "run") for path in sorted(source.glob("*/predictions.csv"))]
    if not runs:
        raise EvaluationError(
            f"`run={source}` must hold the runs of its folds, but there are none. Take up its jobs, or report "
            f"predictions={source / 'pooled_predictions.csv'} gap_correction=in_sample."
        )
    options = _options(config, runs[0].config)
    tested = [run.predictions[run.predictions["split"] == "test"] for run in runs]
    pooled = pd.concat(tested, ignore_index=True)
    if pooled["participant_id"].duplicated().any():
        raise EvaluationError(
            f"`run={source}` must hold folds that test everybody once, but some people are tested in several of its "
            f"{len(runs)} runs. Report one run at a time."
        )
    phenotypes, notes = _phenotypes(runs[0])
    options = replace(_without_unknown(options, phenotypes), rows="all")
    corrected = None
    if options.gap_correction in ("linear", "cole"):
        try:
            corrected = _corrected_by_fold(runs, options)
        except EvaluationError as error:
            if options.strict:
                raise
            notes.append(f"No corrected gap: {error}")
            options = replace(options, gap_correction="none")
    findings = analyse(pooled, phenotypes, options, corrected=corrected)
    findings.notes.extend(
        [*notes, "No comparison with the ridge on connectivity: it is made in each fold's own report."]
    )
    facts = [("folds", str(len(runs))), ("runs", str(source)), ("model", runs[0].label), *_versions()]
    about = About(
        f"{runs[0].label}, {len(runs)} folds pooled",
        facts,
        runs[0].config_text,
        exclusions=None,
        points=config.report.points or runs[0].config.report.points,
    )
    write_findings(folder, findings, about)
    show_findings(findings)


def _corrected_by_fold(runs: Sequence[Run], options: Options) -> tuple[pd.Series, list[Correction]]:
    import pandas as pd

    from brainage.evaluation.gap import corrected_gaps

    gaps: list[pd.Series] = []
    fits: list[Correction] = []
    for run in runs:
        parts = {part: group for part, group in run.predictions.groupby("split")}
        gap, fitted = corrected_gaps(parts["test"], parts["val"], options.gap_correction)
        gaps.append(gap)
        split = run.config.split
        fold = getattr(split, "fold", None)
        which = f"site {split.site}" if fold is None and hasattr(split, "site") else f"fold {fold}"
        fits += [replace(fit, fitted_on=f"validation of {which}") for fit in fitted]
    return pd.concat(gaps, ignore_index=True), fits


def _report_table(config: ReportCommandConfig, path: Path, folder: Path) -> None:
    from brainage.evaluation.findings import Options, analyse
    from brainage.reporting.run_page import About
    from brainage.runs.analyse import show_findings, write_findings
    from brainage.runs.read import read_phenotypes, read_predictions

    if not path.is_file():
        raise MissingPathError(
            f"`predictions={path}` must be a table, but there is no such file. Name an existing one."
        )
    predictions, notes = read_predictions(path, "predictions")
    options = Options(
        rows=config.associations.rows or "test",
        gap_correction=config.gap_correction or "linear",
        variables=config.associations.variables,
        n_resamples=config.report.n_resamples or Options.n_resamples,
        seed=Options.seed if config.seed is None else config.seed,
        strict=True,
    )
    findings = analyse(predictions, read_phenotypes(path), options)
    findings.notes.extend(notes)
    facts = [("table", path.name), ("rows", f"{len(predictions):,}"), ("gap correction", options.gap_correction)]
    about = About(
        f"Predictions in {path.name}", [*facts, *_versions()], exclusions=None, points=config.report.points or "all"
    )
    write_findings(folder, findings, about)
    show_findings(findings)


def _versions() -> list[tuple[str, str]]:
    from brainage.system.provenance import commit, versions

    return [
        ("commit", commit() or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]


def _options(config: ReportCommandConfig, own: Config) -> Options:
    """Return the run's own way of analysis, but for what the command line gives."""
    from brainage.runs.analyse import options_of

    given = {
        "rows": config.associations.rows,
        "variables": config.associations.variables,
        "gap_correction": config.gap_correction,
        "n_resamples": config.report.n_resamples,
        "seed": config.seed,
    }
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return replace(options_of(own, strict=config.gap_correction is not None), **chosen)


def _without_unknown(options: Options, phenotypes: pd.DataFrame) -> Options:
    """Return options without variables where nothing is known of anybody: a note says why."""
    return options if len(phenotypes.columns) > 1 else replace(options, variables=None)


def _phenotypes(run: Run) -> tuple[pd.DataFrame, list[str]]:
    """Return what the cohort's table knows of people, and what is to be said where it is not there any more."""
    phenotypes, _, notes = _beside(run, with_ridge=False)
    return phenotypes, notes


def _beside(run: Run, *, with_ridge: bool = True) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
    """Return phenotypes, the ridge's predictions, and what is to be said of either."""
    from brainage.data.cohorts.select import select_from
    from brainage.data.participants import stored_participants
    from brainage.training.baseline import ridge_predictions

    config = run.config
    try:
        selection = select_from(config.cohort, config.modality, phenotypes=True)
    except BrainageError as error:
        log.warning("%s", error)
        note = (
            "The cohort cannot be read any more: there are no associations, and there is no comparison with the ridge."
        )
        return run.predictions[["participant_id"]], None, [note]
    ridge: pd.DataFrame | None = None
    notes: list[str] = []
    if with_ridge:
        split = run.predictions.set_index("participant_id")["split"]
        try:
            participants = stored_participants(selection, config.modality, config.store.root, split, write=False)
            ridge, notes = ridge_predictions(config.model_value("name"), participants)
        except BrainageError as error:
            notes = [f"No comparison with the ridge on connectivity: {error}"]
    return selection.phenotypes, ridge, notes
