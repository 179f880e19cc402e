"""The model of a run: a network that is trained by epochs, or a baseline that is fitted at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brainage import models
from brainage.config.instantiate import instance
from brainage.config.schema import Config
from brainage.data.datasets import series_batches
from brainage.data.participants import Participants, means_over_scans
from brainage.data.pieces import rows_by_scan
from brainage.data.time_order import reordered
from brainage.models import geometry
from brainage.runs.prepare import Prepared
from brainage.runs.record import Fitted, Job
from brainage.system.console import log
from brainage.training.baseline import fit_baseline, write_baseline
from brainage.training.devices import check_network, is_shared, warn_of_few_cores
from brainage.training.fit import FitSettings, fit
from brainage.training.loggers import Loggers
from brainage.training.predict import predict
from brainage.training.pruning import is_trial, should_prune
from brainage.training.trainer import check_optimizer, check_trainer


def check_settings(config: Config) -> None:
    """Construct trainer, optimizer and scheduler and discard them, to report invalid arguments before any work."""
    settings, name = _settings(config), config.model_value("name")
    trainer = check_trainer({**settings.trainer_arguments, "callbacks": list(settings.callbacks)})
    check_optimizer(settings.optimizer, settings.scheduler)
    if is_shared(trainer) and not models.is_baseline(name):
        warn_of_few_cores(trainer)
        with torch.random.fork_rng():
            check_network(models.build(name, config.network_arguments), trainer)


def build(job: Job, prepared: Prepared, loggers: Loggers) -> Network | Baseline:
    """Return the run's model, not yet fitted."""
    name = job.config.model_value("name")
    return Baseline(job, prepared) if models.is_baseline(name) else Network(job, prepared, loggers)


@dataclass(frozen=True)
class Predictions:
    """Predicted ages, in years.

    Parameters
    ----------
    table : DataFrame
        ``participant_id, split, age, predicted_age, bag``, one row a participant.
    scans : DataFrame or None
        ``participant_id, scan, split, age, predicted_age``, one row a scan, where participants have several.
    """

    table: pd.DataFrame
    scans: pd.DataFrame | None = None


def predictions_of_scans(table: pd.DataFrame, parts: Sequence[str]) -> Predictions:
    """Return the predictions of scans, and of each participant their mean, at the mean age."""
    ordered = pd.concat([table[table["split"] == part] for part in parts], ignore_index=True)
    scans = ordered[["participant_id", "scan", "split", "age", "predicted_age"]]
    return Predictions(_predictions([means_over_scans(scans)]), scans)


class Network:
    """A network, trained by epochs; it predicts with the weights of the best epoch."""

    def __init__(self, job: Job, prepared: Prepared, loggers: Loggers) -> None:
        self._job, self._prepared, self._loggers = job, prepared, loggers

    def fit(self) -> Fitted:
        """Train from the last checkpoint in the run's folder, or from the start."""
        job, data = self._job, self._prepared.data
        config = job.config
        mean_age = float(self._prepared.participants.part("train").ages.mean())
        trained = fit(
            lambda: models.build(config.model_value("name"), config.network_arguments),
            data,
            _settings(config, mean_age),
            job.folder.path,
            loggers=self._loggers,
            fingerprints=[data.fingerprint, *self._prepared.earlier_data],
            on_epoch=lambda: job.folder.begin(job.config_text),
            should_prune=should_prune if is_trial() else None,
        )
        self._network = trained.network
        encoder = getattr(trained.network, "encoder", None)
        n_parameters, n_encoder = _n_parameters(trained.network), None if encoder is None else _n_parameters(encoder)
        return Fitted(
            n_parameters,
            n_encoder,
            trained.epochs,
            trained.best_epoch,
            trained.seconds,
            trained.pruned,
            trained.stopped_by,
        )

    def n_times_of(self, length: int) -> int | None:
        """Return the time points of a half that the network gets at once, of so many; None if it takes none of them."""
        n_times, model = self._prepared.participants.n_times, self._model
        if length < n_times and not geometry.takes_other_lengths(model):
            return None
        geometry.check_arguments({**model, "n_times": min(length, n_times)})
        return min(length, n_times)

    def predict_rows(self, participants: Participants) -> NDArray[np.float64]:
        """Predict the age of each row, in years."""
        return predict(self._network, series_batches(participants, self._prepared.data.batch_size))

    @property
    def _model(self) -> dict[str, Any]:
        config = self._job.config
        return {"name": config.model_value("name"), **config.network_arguments}

    def predict(self, parts: Sequence[str], order: str | None = None) -> Predictions:
        """Predict the participants of these parts, and each of their scans where they have several.

        With `order`, one of `brainage.data.time_order.ORDERS`, their series are in this order.
        """
        participants, data = self._prepared.participants, self._prepared.data
        in_order = partial(_in_order, order=order, seed=self._job.config.seed)
        if not participants.store.scans:
            ages = {part: predict(self._network, map(in_order, data.series(part))) for part in parts}
            found = [participants.part(part).table.assign(predicted_age=ages[part]) for part in parts]
            return Predictions(_predictions(found))
        scans = participants.part(*parts).by_scan()
        predicted = predict(self._network, map(in_order, series_batches(scans, data.batch_size)))
        return predictions_of_scans(scans.table.assign(predicted_age=predicted), parts)


class Baseline:
    """A baseline, fitted at once."""

    def __init__(self, job: Job, prepared: Prepared) -> None:
        self._job, self._participants = job, prepared.participants

    def fit(self) -> Fitted:
        """Fit, and write ``model.npz`` and ``metrics.csv``."""
        config = self._job.config
        name = config.model_value("name")
        log.info("%s is fitted at once: optimizer, scheduler, trainer, recipe and patience are not used.", name)
        started = time.perf_counter()
        fitted = fit_baseline(name, config.network_arguments, self._participants, config.harmonize)
        self._name, self._arrays = name, fitted.arrays
        self._table = self._participants.table.assign(predicted_age=fitted.predicted)
        seconds = time.perf_counter() - started
        self._job.folder.begin(self._job.config_text)
        write_baseline(self._job.folder.path, fitted, self._table, seconds)
        return Fitted(fitted.n_parameters, None, 1, 0, seconds)

    def n_times_of(self, length: int) -> int | None:
        """Return the length of a half; None if the baseline does not depend on series, or is the user's own."""
        return length if models.is_shared(self._name) else None

    def predict_rows(self, participants: Participants) -> NDArray[np.float64]:
        """Predict the age of each row, in years."""
        estimator = models.restored(self._name, self._job.config.network_arguments, self._arrays)
        return estimator.predict(estimator.features(participants))

    def predict(self, parts: Sequence[str]) -> Predictions:
        """Return the predictions of these parts, from all scans of a participant together, and those of each scan."""
        table = _predictions([self._table[self._table["split"] == part] for part in parts])
        if not self._participants.store.scans or self.n_times_of(1) is None:
            return Predictions(table)
        rows = rows_by_scan(self._participants.part(*parts))
        scans = pd.concat([one.table.assign(predicted_age=self.predict_rows(one)) for one in rows], ignore_index=True)
        return Predictions(table, predictions_of_scans(scans, parts).scans)


def _in_order(batch: tuple[Tensor, ...], order: str | None, seed: int) -> tuple[Tensor, ...]:
    """Return a batch, see `brainage.data.datasets.without_ages`, whose windows are in an order of time."""
    series, *counts = batch
    return batch if order is None else (torch.from_numpy(reordered(series.numpy(), order, seed)), *counts)


def _predictions(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    table = table[["participant_id", "split", "age", "predicted_age"]]
    return table.assign(bag=table["predicted_age"] - table["age"])


def _settings(config: Config, mean_age: float | None = None) -> FitSettings:
    arguments = {name: instance("trainer", value) for name, value in config.trainer.arguments().items()}
    return FitSettings(
        optimizer=instance("optimizer", config.optimizer),
        scheduler=instance("scheduler", config.scheduler) if config.scheduler else None,
        trainer_arguments=arguments,
        callbacks=[instance("trainer.callbacks", callback) for callback in config.trainer.callbacks],
        seed=config.seed,
        patience=config.patience,
        output_bias=mean_age if config.model_value("output_bias") == "mean_age" else None,
        weight_averaging=config.recipe.weight_averaging,
        compile=config.trainer.compile,
    )


def _n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
