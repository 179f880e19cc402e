"""The steps of one run, from a cohort to a report."""

from __future__ import annotations

from brainage.data.cohorts.select import select_from
from brainage.data.splits.choose import choose_split
from brainage.evaluation.variables import check_variables
from brainage.runs.record import Job, Results
from brainage.runs.scores import score
from brainage.training.pruning import PrunedError


def train(job: Job, results: Results) -> None:
    """Train, test, predict and report.

    Raises
    ------
    BrainageError
        A step cannot be done.
    PrunedError
        A sweep's pruner ended the training early.
    """
    config, folder = job.config, job.folder
    if not folder.resumed:  # whose config.yaml stays as it is until training goes on
        folder.begin(job.config_text)
    selection = select_from(config.cohort, config.modality, phenotypes=config.evaluate)
    if config.evaluate and config.associations.variables:
        check_variables(config.associations.variables, map(str, selection.phenotypes.columns))
    split = choose_split(config.split, selection.table)

    # torch, Lightning and matplotlib: seconds, which a mistake above does not wait for.
    from brainage.runs import fit, prepare, report

    fit.check_settings(config)
    prepared = results.prepared = prepare.prepare(config, selection, split, folder)
    model = fit.build(job, prepared)
    fitted = results.fitted = model.fit()
    if fitted.pruned:
        raise PrunedError(f"pruned after {fitted.epochs} epochs")
    predictions = model.predict(("train", "val", "test") if config.evaluate else ("train", "val"))
    if config.evaluate:
        folder.write_csv("predictions.csv", predictions)
    results.scores = score(predictions, config.objective)
    if config.evaluate:
        report.report(job, results, selection, predictions)
