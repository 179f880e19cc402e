"""``predict.py``: predict the ages of a cohort's participants with one or several trained networks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from omegaconf import DictConfig

from brainage.config.commands.predict import PredictCommandConfig
from brainage.config.commands.shared import DEFAULT_STORE
from brainage.config.groups.cohort import CohortConfig
from brainage.config.hydra import parse_as
from brainage.data.store.exclusions import check_excluded, exclusions_of
from brainage.errors import CohortError
from brainage.evaluation.analyse import analyse
from brainage.evaluation.caveats import implausible
from brainage.evaluation.conformal import BOUNDS, Intervals
from brainage.evaluation.disclosure import may_describe
from brainage.evaluation.findings import AnalysisSettings, Findings
from brainage.evaluation.shift import shift_notes
from brainage.evaluation.variables import columns_to_read
from brainage.reporting.about import About
from brainage.reporting.page import Section, made_with, write_report
from brainage.reporting.prediction_page import predicted_rows, prediction_page
from brainage.reporting.terminal import show_findings
from brainage.reporting.text import SD_NOTE
from brainage.runs.analyse import progress, write_findings
from brainage.runs.confounds import check_confounds, with_confounds
from brainage.runs.read import excluded_jobs, run_folders
from brainage.runs.rescans import SCANS, by_row, rescans_of
from brainage.system.console import show_note, show_table
from brainage.system.files import write_csv, write_text
from brainage.system.session import carry_out

if TYPE_CHECKING:
    from brainage.trained.ensemble import CorrectedGaps, Ensemble, Sample
    from brainage.trained.network import Trained

_COLUMNS = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", "predicted_age_sd", *BOUNDS)


@dataclass(frozen=True)
class _Predictions:
    """The predictions table, that of scans, notes, and findings about participants of known age, if there are any."""

    table: pd.DataFrame
    scans: pd.DataFrame | None
    notes: list[str]
    findings: Findings | None


def predict(composed: DictConfig) -> None:
    """Predict, from a config composed of ``configs/predict.yaml``."""
    carry_out(lambda folder: _predict(parse_as(composed, PredictCommandConfig), folder))


def _predict(config: PredictCommandConfig, folder: Path) -> None:
    from brainage.trained import ensemble, length, load, t_r

    device = ensemble.usable_device(config.device)
    networks, stacked = load.read_models(_sources(config))
    networks = list(map(t_r.resampling, networks)) if config.resample else networks
    networks = networks if config.n_times is None else [length.of_length(one, config.n_times) for one in networks]
    check_confounds(config.confounds)
    phenotypes = partial(columns_to_read, config.associations.variables, covariates=config.associations.covariates)
    samples = ensemble.read_samples(networks, config.cohort, config.store.root or DEFAULT_STORE, phenotypes)
    check_excluded_of(config.cohort, folder, list(samples.values()))
    predict_with(config, folder, ensemble.Ensemble(networks, samples, stacked), device)


def predict_with(
    config: PredictCommandConfig, folder: Path, ensemble: Ensemble, device: str, first: Section | None = None
) -> None:
    """Predict the participants of an ensemble, write and print; the page begins with a section, if there is one."""
    predictions = _predictions(config, ensemble, device)
    _write(config, folder, predictions, ensemble, first)
    _show(predictions, folder)


def _sources(config: PredictCommandConfig) -> list[tuple[str, Path]]:
    """Return each network's key on the command line and folder."""
    if config.runs is not None:
        return [("runs", path) for path in run_folders(config.runs)]
    key = "run" if config.run is not None else "bundle"
    return [(key, Path(getattr(config, key)))]


def check_excluded_of(cohort: CohortConfig, folder: Path, samples: Sequence[Sample]) -> None:
    """Raise if too many participants are excluded, after writing who."""
    try:
        for sample in samples:
            n_scans = len(sample.selection.scans)
            check_excluded(sample.participants.store, n_scans, cohort.max_excluded_fraction, folder)
    except CohortError:  # its message names the file
        _write_exclusions(folder, samples)
        raise


def _write_exclusions(folder: Path, samples: Sequence[Sample]) -> None:
    tables = [exclusions_of(sample.participants.store) for sample in samples]
    exclusions = pd.concat(tables).drop_duplicates().sort_values("participant_id", kind="stable")
    write_csv(folder / "exclusions.csv", exclusions)


def _predictions(config: PredictCommandConfig, ensemble: Ensemble, device: str) -> _Predictions:
    participants = ensemble.participants()
    values, scans = ensemble.predict(participants, device, config.batch_size)
    split = ensemble.parts(participants) if config.match_ids else pd.Series(None, participants.index, dtype=object)
    mean, sd = ensemble.joined(values)
    table = participants.assign(split=split, predicted_age=mean)
    table["bag"] = table["predicted_age"] - table["age"]
    if values.shape[1] > 1:
        table["predicted_age_sd"] = sd
    notes = [
        *([SD_NOTE] if values.shape[1] > 1 else []),
        *ensemble.caveats(participants),
        *_known_participants(table, ensemble),
    ]
    if config.runs is not None:
        notes += [f"Excluded: {job}." for job in excluded_jobs(config.runs)]
    corrected = None
    if config.gap_correction is None and table["age"].notna().any():
        gaps = ensemble.corrected(table, values)
        if isinstance(gaps, str):
            notes.append(f"No corrected gap: {gaps} Use gap_correction=in_sample to fit it on the participants here.")
        else:
            corrected, table["bag_corrected"] = gaps, gaps.gaps
    intervals = ensemble.intervals(table)
    if intervals.fits:
        table = table.join(intervals.bounds)
    return replace(_analysed(config, table, corrected, intervals, ensemble, notes), scans=scans)


def _known_participants(table: pd.DataFrame, ensemble: Ensemble) -> list[str]:
    """Return notes on participants that were in training or validation of a network."""
    notes = []
    if n_known := int(table["split"].isin(["train", "val"]).sum()):
        notes.append(
            f"{n_known:,} of {len(table):,} participants were trained or validated on: they are in predictions.csv "
            "with their `split`, and are excluded from all statistics. If these ids belong to another cohort, use "
            "match_ids=false."
        )
    if any(trained.own_predictions is None for trained in ensemble.networks):
        notes.append(
            "A bundle contains no ids: whether its network was trained on participants here is unknown. Accuracy on "
            "training participants says nothing about new ones."
        )
    return notes


def _analysed(
    config: PredictCommandConfig,
    table: pd.DataFrame,
    corrected: CorrectedGaps | None,
    intervals: Intervals,
    ensemble: Ensemble,
    notes: list[str],
) -> _Predictions:
    """Analyse the participants of known age who were neither trained nor validated on."""
    measured = table["age"].notna() & ~table["split"].isin(["train", "val"])
    if not measured.any():
        return _Predictions(table, None, [*notes, *implausible(table["predicted_age"])], None)
    rows = table.loc[measured, ["participant_id", "age", "predicted_age"]].assign(split=None).reset_index(drop=True)
    bounds = intervals.bounds.reindex(table.index[measured]).reset_index(drop=True)
    settings = AnalysisSettings(
        rows="all",
        gap_correction=config.gap_correction or (corrected.corrections[0].method if corrected else "none"),
        variables=config.associations.variables,
        covariates=config.associations.covariates,
        planned=config.associations.planned,
        n_resamples=config.report.n_resamples,
        seed=config.seed,
        strict=True,
    )
    given = None if corrected is None else (corrected.gaps[measured].reset_index(drop=True), corrected.corrections)
    phenotypes, settings = with_confounds(
        next(iter(ensemble.samples.values())).selection.phenotypes, settings, config.confounds
    )
    n_ageless = int(table["age"].isna().sum())
    ageless = [f"{n_ageless:,} participants of unknown age are predicted."] if n_ageless else []
    measured_intervals = replace(intervals, bounds=bounds)
    if given is not None:
        notes = [*notes, *shift_notes(rows.assign(bag_corrected=given[0]), given[1])]
    findings = analyse(rows, phenotypes, settings, (), given, measured_intervals, [*notes, *ageless], progress)
    if "bag_corrected" in findings.predictions:
        table.loc[measured, "bag_corrected"] = findings.predictions["bag_corrected"].to_numpy()
    return _Predictions(table, None, notes, findings)


def _networks(networks: Sequence[Trained], weights: Sequence[float]) -> list[tuple[str, str]]:
    """Return a row per network: its label, its weight in a stack, and its folder."""
    said = [f", weight {weight:.3f}" for weight in weights] or [""] * len(networks)
    return [
        (f"network {number}", f"{one.label}{weight}: {one.folder}")
        for number, (one, weight) in enumerate(zip(networks, said, strict=True), start=1)
    ]


def _write(
    config: PredictCommandConfig, folder: Path, predictions: _Predictions, ensemble: Ensemble, first: Section | None
) -> None:
    networks, samples, found = ensemble.networks, list(ensemble.samples.values()), predictions.findings
    table = predictions.table[[name for name in _COLUMNS if name in predictions.table]]
    weights = ensemble.stack.weights if ensemble.stack else ()
    facts = [*_networks(networks, weights), ("cohort", config.cohort.name), ("participants", f"{len(table):,}")]
    if found is None:
        write_csv(folder / "predictions.csv", table)
        write_report(
            folder,
            prediction_page(
                predictions.table, networks[0].ages, facts, predictions.notes, first, points=config.report.points
            ),
        )
    else:
        kinds = Counter(kind for one in samples for kind, _ in one.participants.store.excluded.values())
        about = About(
            "Predictions for new participants",
            [*facts, *made_with()],
            exclusions=dict(kinds.most_common()),
            points=config.report.points,
            first=first,
            rescans=None if predictions.scans is None else rescans_of(predictions.scans, found),
        )
        write_findings(folder, found, about, table)
    if predictions.scans is not None:
        write_csv(folder / SCANS, by_row(predictions.scans, table))
    _write_exclusions(folder, samples)
    record = {
        "networks": [str(trained.folder) for trained in networks],
        **({"weights": list(weights)} if weights else {}),
        "n": len(table),
        "n_with_age": int(table["age"].notna().sum()),
        "n_learned_from": int(table["split"].isin(["train", "val"]).sum()),
        "gap_correction": config.gap_correction or "as in the run",
        "notes": predictions.notes,
    }
    write_text(folder / "prediction.json", json.dumps(record, indent=2) + "\n")


def _show(predictions: _Predictions, folder: Path) -> None:
    table, age = predictions.table, predictions.table["predicted_age"]
    n_known = int(table["age"].notna().sum())
    rows = [["participants", f"{len(table):,}, {n_known:,} of known age"], *predicted_rows(age.to_numpy(float))]
    if "predicted_age_sd" in table and may_describe(len(table)):
        rows.append(["SD between networks", f"{table['predicted_age_sd'].mean():.2f} years, mean"])
    show_table("Predictions", ("", ""), rows)
    if predictions.findings is not None:
        show_findings(predictions.findings)
    else:
        for note in predictions.notes:
            show_note(note)
    print(f"Predictions: {folder / 'predictions.csv'}")
    print(f"Report: {folder / 'report.html'}")
