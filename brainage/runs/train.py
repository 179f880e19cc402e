"""The steps of one run, from a cohort to its results."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from brainage.config.groups.modality import FETCHERS, ModalityConfig
from brainage.config.schema import Config
from brainage.data.cohorts.select import Choice, select_from
from brainage.data.splits.choose import choose_split
from brainage.data.t_r import check_for_training
from brainage.evaluation.variables import columns_to_read
from brainage.runs.confounds import check_confounds
from brainage.runs.record import Job, Results
from brainage.runs.scores import score
from brainage.runs.trained_on import trained_split
from brainage.training.pruning import PrunedError, note_errors


def train(job: Job, results: Results) -> None:
    """Train, predict and score; `results` receives what each step returned.

    Raises a `BrainageError` if a step cannot be done, and a `PrunedError` if a sweep's pruner ended the training.
    """
    config, folder = job.config, job.folder
    if not folder.resumed:  # a resumed run begins with its first new epoch
        folder.begin(job.config_text)
    check_confounds(config.confounds)
    phenotypes = _phenotypes(config)
    selection = select_from(
        config.cohort, config.modality, stores=[config.store.root], phenotypes=phenotypes, is_new=not folder.resumed
    )
    if not folder.resumed:
        check_for_training(selection.scanned, config.modality)
        _check_atlas(config.modality)
    # Drawn over another table, a split would differ: participants of a resumed run keep their part.
    split = trained_split(folder.path) if folder.resumed else None
    if split is None:
        split = choose_split(config.split, selection.table, config.groups)

    # Imports torch, Lightning and SciPy, after the errors above have been reported.
    from brainage.runs.fit import build, check_settings
    from brainage.runs.further import write_further
    from brainage.runs.loggers import new_loggers, open_loggers
    from brainage.runs.prepare import prepare

    check_settings(config)
    prepared = results.prepared = prepare(config, selection, split, folder)
    loggers = results.loggers = new_loggers(job, prepared.participants, results.notes)
    open_loggers(job, loggers)
    model = build(job, prepared, loggers)
    fitted = results.fitted = model.fit()
    if fitted.pruned:
        raise PrunedError(f"pruned after {fitted.epochs} epochs")
    predictions = model.predict(("train", "val", "test") if config.evaluate else ("train", "val"))
    results.scores = score(predictions.table, config.objective)
    note_errors(predictions.table.loc[predictions.table["split"] == "val", "bag"] ** 2)
    folder.begin(job.config_text)  # where no epoch was missing
    if config.evaluate:
        folder.write_csv("predictions.csv", predictions.table)
        results.predictions, results.phenotypes = predictions.table, selection.phenotypes
        write_further(job, model, prepared.participants, predictions, results.notes)


def _phenotypes(config: Config) -> Choice | None:
    """Return what chooses the columns to read besides the standard ones; None for none."""
    if not config.evaluate and config.groups.column is None:
        return None
    chosen = config.associations
    variables, covariates = (chosen.variables, chosen.covariates) if config.evaluate else ([], None)
    return partial(columns_to_read, variables, groups=config.groups.column, covariates=covariates)


def _check_atlas(modality: ModalityConfig) -> None:
    """Raise if the atlas, which an explanation of the network will need, cannot be read, or is of other channels."""
    if modality.atlas is None or modality.atlas in FETCHERS:
        return
    # Imports nibabel.
    from brainage.data.atlas import read_atlas

    read_atlas(Path(modality.atlas), modality.dimension, "modality.atlas")
