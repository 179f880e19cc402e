"""What each entrypoint does, step by step: the one place that calls every room.

Rooms that import torch or pandas are imported where they are needed: a mistake in a config is answered without.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from brainage import models
from brainage.config.hydra import parse
from brainage.config.instantiate import instance, open_loggers
from brainage.config.schema import Config
from brainage.errors import (
    DIVERGED,
    BrainageError,
    DivergedError,
    ImpossibleArchitectureError,
    NamedParticipantError,
    ResumeError,
)
from brainage.models import geometry
from brainage.runs.folder import RunFolder, empty_summary
from brainage.runs.multirun import previous_job, repeat_command
from brainage.runs.multirun_table import finish_multirun
from brainage.runs.prepare import Prepared, draw, prepare, select
from brainage.runs.resume import asked_max_epochs, check_resume, finished_summary, given_words, resumed_config
from brainage.system.console import log, show_table
from brainage.system.invocation import command_text
from brainage.system.redaction import redacted
from brainage.system.session import say
from brainage.system.signals import Interruption, interruptible
from brainage.training.pruning import PrunedError, current_report, is_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from torch import nn

    from brainage.data.cohorts.select import Selection
    from brainage.data.datamodule import AgeDataModule
    from brainage.training.fit import Fit


def train(composed: DictConfig) -> float | None:
    """Train, test and predict; leave everything in the run's folder.

    Parameters
    ----------
    composed : DictConfig
        As Hydra composed it.

    Returns
    -------
    float or None
        The objective; None for a job of a multirun that could not finish (its ``summary.json`` says why).

    Raises
    ------
    SystemExit
        A single run ended other than well, after its message.
    """
    job = HydraConfig.get()
    path = Path(job.runtime.output_dir)
    try:
        if composed.resume is not None:
            overrides = given_words(job.overrides)
            check_resume(Path(composed.resume), overrides, multirun=job.mode == RunMode.MULTIRUN)
            max_epochs = asked_max_epochs(composed, overrides)
            if (summary := finished_summary(path, max_epochs)) is not None:
                log.info("This run is finished; nothing is left to do.")
                _show(summary, path)
                return float(summary["objective"]["value"])
            composed = resumed_config(Path(composed.resume), max_epochs)
        elif job.mode == RunMode.MULTIRUN and not is_trial():
            previous = previous_job(path, composed)
            if previous.summary is not None:
                print(f"Job {job.job.num} has ended before; it is kept.")
                return previous.objective
            if previous.resumable:
                composed = composed.copy()
                composed.resume = str(path)
        with RunFolder(path) as folder:
            objective = _recorded(composed, folder)
        if job.mode != RunMode.MULTIRUN and composed.resume is not None and (path.parent / "multirun.yaml").is_file():
            finish_multirun(path.parent)
        return objective
    except BrainageError as error:  # nothing has begun
        say(error)
        other_config = isinstance(error, ResumeError)  # the other jobs of this grid would only repeat it
        return None if job.mode == RunMode.MULTIRUN and not other_config else sys.exit(error.exit_code)


def _recorded(composed: DictConfig, folder: RunFolder) -> float | None:
    """Train, and leave a summary however it ends."""
    started = time.monotonic()
    summary = empty_summary()
    multirun = HydraConfig.get().mode == RunMode.MULTIRUN

    def end(status: str, reason: str | None = None) -> None:
        summary.update(status=status, reason=reason)
        summary["seconds"]["total"] = round(time.monotonic() - started, 3)
        folder.write_summary(summary)

    try:
        with interruptible():
            _train(composed, folder, summary)
    except Interruption as stop:
        end("interrupted", str(stop))
        if is_trial():
            raise
        again = command_text("train", f"resume={folder.path}")
        if multirun:
            finish_multirun(Path(HydraConfig.get().sweep.dir))
            again = repeat_command(Path(HydraConfig.get().sweep.dir))
        print(f"\n{stop}; continue with: {again}", file=sys.stderr)
        sys.exit(stop.exit_code)
    except PrunedError as error:
        end("pruned", str(error))
        return None
    except BrainageError as error:
        if isinstance(error, NamedParticipantError):  # which Hydra has copied, before a job of a multirun
            shutil.rmtree(folder.path / ".hydra", ignore_errors=True)
        # A run that is not taken up stays as it is.
        if composed.resume is None or not folder.give_summary_back():
            end("impossible" if isinstance(error, ImpossibleArchitectureError) else "failed", str(error))
        say(error)
        return None if multirun else sys.exit(error.exit_code)
    except Exception as error:  # a mistake of this project, or of what it stands on
        end("failed", f"{type(error).__name__}; see the log")
        log.error(redacted(traceback.format_exc()))
        return None if multirun else sys.exit(1)
    end("finished")
    value: float = summary["objective"]["value"]
    if not multirun:  # which ends with one table of all its jobs
        _show(summary, folder.path)
    return value


def _train(composed: DictConfig, folder: RunFolder, summary: dict[str, Any]) -> None:
    """Take every step of a run and note its results in the summary."""
    config = parse(composed)
    model_name = config.model_value("name")
    summary.update(seed=config.seed, objective={"name": config.objective, "value": None})
    summary["model"]["name"], summary["cohort"]["name"] = model_name, config.cohort.name
    geometry.check(model_name, config.model)
    if models.is_baseline(model_name):
        models.build_baseline(model_name, config.network_arguments)
    if config.resume is None:  # otherwise it is there, and stays as it is until training goes on
        _write_config(composed, folder)

    selection = select(config)
    if config.evaluate and config.associations.variables:
        from brainage.evaluation.findings import check_variables
        from brainage.runs.analyse import phenotypes_of

        check_variables(config.associations.variables, map(str, phenotypes_of(selection).columns))
    split = draw(config, selection)
    _check_trainer(config)
    prepared = prepare(config, selection, split, folder, summary)
    job = _Job(config, composed, folder, summary, selection)
    predictions = _predictions(job, prepared)
    if config.evaluate:
        folder.write_csv("predictions.csv", predictions)
    _measure(predictions, config.objective, summary)
    if config.evaluate:
        _find(job, prepared, predictions)


@dataclass(frozen=True)
class _Job:
    """A run under way: what it is to do, where, and what is known of it so far."""

    config: Config
    composed: DictConfig
    folder: RunFolder
    summary: dict[str, Any]
    selection: Selection


def _predictions(job: _Job, prepared: Prepared) -> pd.DataFrame:
    """Fit the model, note what it is, and predict: participant_id, split, age, predicted_age, bag."""
    config, summary = job.config, job.summary
    name = config.model_value("name")
    parts = ("train", "val", "test") if config.evaluate else ("train", "val")
    if models.is_baseline(name):
        from brainage.runs.analyse import inputs_of
        from brainage.training.baseline import fit_baseline, write_baseline

        inputs = inputs_of(config, job.selection, prepared.people, prepared.store)
        log.info("%s is fitted at once: optimizer, scheduler, trainer, recipe and patience are not used.", name)
        fitted = fit_baseline(name, config.network_arguments, inputs, parts)
        write_baseline(job.folder.path, fitted)
        summary["model"]["parameters"] = sum(
            array.size for key, array in fitted.arrays.items() if key in ("weights", "intercept")
        )
        summary.update(epochs=1, best_epoch=0)
        summary["seconds"]["fit"] = round(fitted.seconds, 3)
        return fitted.predictions
    trained = _fit(config, prepared.people, prepared.data, job.folder, job.composed)
    _note_network(trained, summary)
    if trained.pruned:
        raise PrunedError(f"hopeless after {trained.epochs} epochs, as the sweep's pruner has it")
    return _predict(prepared.people, prepared.data, trained.network, parts)


def _find(job: _Job, prepared: Prepared, predictions: pd.DataFrame) -> None:
    """Tell what the predictions mean: tables, a report, and what is printed."""
    from brainage.evaluation.findings import analyse
    from brainage.runs.analyse import about_run, inputs_of, options_of, phenotypes_of, show_findings, write_findings
    from brainage.training.baseline import ridge_beside

    config, folder = job.config, job.folder.path
    inputs = inputs_of(config, job.selection, prepared.people, prepared.store)
    ridge, note = ridge_beside(config.model_value("name"), inputs)
    findings = analyse(predictions, phenotypes_of(job.selection), options_of(config), ridge)
    if note:
        findings.notes.append(note)
    kept = OmegaConf.to_yaml(_kept(job.composed), resolve=True)
    write_findings(folder, findings, about_run(folder, job.summary, kept, config.report.points))
    job.folder.write_text("training.json", _training_aggregates(config, prepared))
    if HydraConfig.get().mode != RunMode.MULTIRUN:
        show_findings(findings)


def _training_aggregates(config: Config, prepared: Prepared) -> str:
    """Return what the training participants were like, in numbers that tell of nobody."""
    import numpy as np

    from brainage.data.training_stats import aggregates_of

    training = prepared.people[prepared.people["split"] == "train"]
    rows, channels = training["row"].to_numpy(np.intp), np.array(config.modality.channel_indices)
    return json.dumps(aggregates_of(training["age"], prepared.store, rows, channels).as_json(), indent=2) + "\n"


def _kept(composed: DictConfig) -> DictConfig:
    """Return the config as it is for every run in this folder, whether or not it was taken up again."""
    kept = composed.copy()
    kept.resume = None
    return kept


def _write_config(composed: DictConfig, folder: RunFolder) -> None:
    folder.write_text("config.yaml", OmegaConf.to_yaml(_kept(composed), resolve=True))


def _check_trainer(config: Config) -> None:
    from brainage.training.trainer import check_optimizer, check_trainer

    check_trainer({**_trainer_arguments(config), "callbacks": _own_callbacks(config)})
    check_optimizer(
        instance("optimizer", config.optimizer),
        instance("scheduler", config.scheduler) if config.scheduler else None,
    )


def _own_callbacks(config: Config) -> list[Any]:
    return [instance("trainer.callbacks", callback) for callback in config.trainer.callbacks]


def _trainer_arguments(config: Config) -> dict[str, Any]:
    """Return the Trainer's arguments, without the callbacks, which are handed over with the project's own."""
    arguments = {name: instance("trainer", value) for name, value in config.trainer.arguments().items()}
    del arguments["callbacks"]
    return arguments


def _fit(config: Config, people: pd.DataFrame, data: AgeDataModule, folder: RunFolder, composed: DictConfig) -> Fit:
    from brainage.training.fit import fit

    def begin() -> None:
        _write_config(composed, folder)
        folder.forget_summary()

    mean_age = float(people.loc[people["split"] == "train", "age"].mean())
    with open_loggers(config.logger or {}, composed) as loggers:
        return fit(
            lambda: models.build(config.model_value("name"), config.network_arguments),
            data,
            optimizer=instance("optimizer", config.optimizer),
            scheduler=instance("scheduler", config.scheduler) if config.scheduler else None,
            trainer_arguments=_trainer_arguments(config),
            folder=folder.path,
            seed=config.seed,
            patience=config.patience,
            output_bias=mean_age if config.model_value("output_bias") == "mean_age" else None,
            weight_averaging=config.recipe.weight_averaging,
            loggers=loggers,
            data_fingerprint=data.fingerprint,
            resume=config.resume is not None,
            callbacks=_own_callbacks(config),
            begin=begin,
            report=current_report(),
        )


def _note_network(fitted: Fit, summary: dict[str, Any]) -> None:
    network = fitted.network
    encoder = getattr(network, "encoder", None)
    summary["model"].update(
        parameters=_n_parameters(network), encoder_parameters=None if encoder is None else _n_parameters(encoder)
    )
    summary.update(epochs=fitted.epochs, best_epoch=fitted.best_epoch)
    summary["seconds"]["fit"] = round(fitted.seconds, 3)


def _n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _predict(people: pd.DataFrame, data: AgeDataModule, network: nn.Module, of_parts: Sequence[str]) -> pd.DataFrame:
    """Predict these parts with the best epoch's weights: participant_id, split, age, predicted_age, bag."""
    import numpy as np
    import pandas as pd

    from brainage.training.fit import predict

    parts = []
    for part in of_parts:
        group = people[people["split"] == part]
        parts.append(group.assign(predicted_age=predict(network, data.loader(part))))
    predictions = pd.concat(parts, ignore_index=True)
    if not np.isfinite(predictions["predicted_age"]).all():
        raise DivergedError(
            f"{DIVERGED}: the network's predictions are not finite numbers. Lower optimizer.lr, or set "
            "trainer.gradient_clip_val=1."
        )
    predictions["bag"] = predictions["predicted_age"] - predictions["age"]
    return predictions[["participant_id", "split", "age", "predicted_age", "bag"]]


def _measure(predictions: pd.DataFrame, objective: str, summary: dict[str, Any]) -> None:
    """Note accuracy, and that of predicting the training set's mean age."""
    from brainage.evaluation.metrics import accuracy

    ages = {str(part): group["age"].to_numpy() for part, group in predictions.groupby("split")}
    for part, group in predictions.groupby("split"):
        summary["metrics"][part] = accuracy(group["age"], group["predicted_age"])
    for part in sorted(set(ages) - {"train"}):
        summary["baseline"][part]["mae"] = accuracy(ages[part], 0 * ages[part] + ages["train"].mean())["mae"]
    part, metric = objective.split("/")
    summary["objective"] = {"name": objective, "value": summary["metrics"][part][metric]}
    if summary["objective"]["value"] is None:
        raise DivergedError(f"`objective={objective}` is undefined for these predictions; use objective=val/mse.")


def _show(summary: dict[str, Any], folder: Path) -> None:
    """Print what a person wants to know first."""
    part = "val" if summary["metrics"]["test"]["mae"] is None else "test"
    error, baseline = summary["metrics"][part]["mae"], summary["baseline"][part]["mae"]
    best = summary["best_epoch"]
    rows = [
        ("test MAE" if part == "test" else "validation MAE", f"{error:.2f} years"),
        ("  of the mean predictor", f"{baseline:.2f} years"),
        ("  skill, 1 less their ratio", f"{1 - error / baseline:.0%}"),
        ("participants (train, val, test)", ", ".join(str(n) for n in summary["n"].values())),
        ("parameters", f"{summary['model']['parameters']:,}"),
        ("epochs", f"{summary['epochs']}" + ("" if best is None else f", best number {best}, from 0")),
        ("time", f"{summary['seconds']['total']:.0f} s, training {summary['seconds']['fit']:.0f} s"),
    ]
    show_table(f"{summary['model']['name']}, cohort {summary['cohort']['name']}", ("", ""), rows)
    print(f"{'Predictions, metrics' if part == 'test' else 'Metrics'}, checkpoints: {folder}")
    if (folder / "report.html").exists():
        print(f"Report: {folder / 'report.html'}")
