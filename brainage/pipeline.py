"""What each entrypoint does, step by step: the one place that calls every room.

Rooms that import torch or pandas are imported where they are needed: a mistake in a config is answered without.
"""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from brainage import config as configs
from brainage.config import (
    BidsCohortConfig,
    Config,
    FixedSplitConfig,
    KFoldSplitConfig,
    LeaveSiteOutSplitConfig,
    RandomSplitConfig,
    SimulatedCohortConfig,
    UkbCohortConfig,
)
from brainage.console import log, show_table
from brainage.errors import BrainageError, CohortError, ConfigError, DivergedError, ImpossibleArchitectureError
from brainage.instances import instance, open_loggers
from brainage.interrupts import Interruption, interruptible
from brainage.models import geometry
from brainage.multirun import close
from brainage.resume import asked_max_epochs, check_resume, finished_summary, given_words, resumed_config
from brainage.run import RunFolder, empty_summary
from brainage.sweep.report import PrunedError, current_report, is_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from torch import nn

    from brainage.data.cohort import CohortReader, Selection
    from brainage.data.datamodule import AgeDataModule, People
    from brainage.data.store_files import Store
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
        with RunFolder(path) as folder:
            objective = _recorded(composed, folder)
        if composed.resume is not None and (path.parent / "multirun.yaml").is_file():
            close(path.parent)
        return objective
    except BrainageError as error:  # nothing has begun
        _say(error)
        return None if job.mode == RunMode.MULTIRUN else sys.exit(error.exit_code)


def _recorded(composed: DictConfig, folder: RunFolder) -> float | None:
    """Train, and leave a summary however it ends."""
    started = time.monotonic()
    summary = empty_summary()
    multirun = HydraConfig.get().mode == RunMode.MULTIRUN
    ids: set[str] = set()

    def end(status: str, reason: str | None = None) -> None:
        summary.update(status=status, reason=reason)
        summary["seconds"]["total"] = round(time.monotonic() - started, 3)
        folder.write_summary(summary)

    try:
        with interruptible():
            _train(composed, folder, summary, ids)
    except Interruption as stop:
        end("interrupted", str(stop))
        if is_trial():
            raise
        if multirun:
            close(Path(HydraConfig.get().sweep.dir))
        print(f"\n{stop}; go on with: python train.py resume={folder.path}", file=sys.stderr)
        sys.exit(stop.exit_code)
    except PrunedError as error:
        end("pruned", str(error))
        return None
    except BrainageError as error:
        # A run that is not taken up stays as it is.
        if composed.resume is None or not folder.give_summary_back():
            end("impossible" if isinstance(error, ImpossibleArchitectureError) else "failed", str(error))
        _say(error)
        return None if multirun else sys.exit(error.exit_code)
    except Exception as error:  # a mistake of this project, or of what it stands on
        end("failed", f"{type(error).__name__}; see the log")
        log.error(without_ids(traceback.format_exc(), ids))
        return None if multirun else sys.exit(1)
    end("finished")
    value: float = summary["objective"]["value"]
    if not multirun:  # which ends with one table of all its jobs
        _show(summary, folder.path)
    return value


def _say(error: BrainageError) -> None:
    """Print a user's mistake as one message, or as a traceback where Hydra is asked for those."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise error
    print(f"error: {error}", file=sys.stderr)


def without_ids(text: str, ids: set[str]) -> str:
    """Return a text in which nobody is named: the errors of libraries may quote what they were given.

    Parameters
    ----------
    text : str
        Such as a traceback.
    ids : set of str
        Of everybody whom it may name.
    """
    for person in sorted((person for person in ids if person in text), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9])(sub-)?{re.escape(person)}(?![A-Za-z0-9])", "<participant>", text)
    return text


def _train(composed: DictConfig, folder: RunFolder, summary: dict[str, Any], ids: set[str]) -> None:
    """Take every step of a run and note its results in the summary; add to `ids` everybody who is known by then."""
    config = configs.parse(composed)
    model_name = config.model_value("name")
    summary.update(seed=config.seed, objective={"name": config.objective, "value": None})
    summary["model"]["name"], summary["cohort"]["name"] = model_name, config.cohort.name
    geometry.check(model_name, config.model)
    if config.resume is None:  # otherwise it is there, and stays as it is until training goes on
        _write_config(composed, folder)

    selection = _select(config)
    ids.update(selection.table["participant_id"])
    split = _draw(config, selection)
    _check_trainer(config)
    people, data = _prepare(config, selection, split, folder, summary)
    fitted = _fit(config, people, data, folder, composed)
    _note_network(fitted, summary)
    if fitted.pruned:
        raise PrunedError(f"hopeless after {fitted.epochs} epochs, as the sweep's pruner has it")
    predictions = _predict(
        people, data, fitted.network, ("train", "val", "test") if config.evaluate else ("train", "val")
    )
    if config.evaluate:
        folder.write_csv("predictions.csv", predictions)
    _measure(predictions, config.objective, summary)


def _write_config(composed: DictConfig, folder: RunFolder) -> None:
    """Write ``config.yaml`` as it is for every run in this folder, whether or not it was taken up again."""
    kept = composed.copy()
    kept.resume = None
    folder.write_text("config.yaml", OmegaConf.to_yaml(kept, resolve=True))


def _select(config: Config) -> Selection:
    from brainage.data.cohort import select_participants

    exclude_ids = config.cohort.exclude_ids
    return select_participants(
        _reader(config),
        dimension=config.modality.dimension,
        include=config.cohort.include,
        exclude_ids=Path(exclude_ids) if exclude_ids is not None else None,
    )


def _reader(config: Config) -> CohortReader:
    """Return the reader of the cohort that is asked for."""
    cohort, modality = config.cohort, config.modality
    if isinstance(cohort, SimulatedCohortConfig):
        from brainage.data.simulated import GENERATOR_VERSION, SimulatedCohort

        if cohort.version != GENERATOR_VERSION:
            raise ConfigError(
                f"`cohort.version` must be {GENERATOR_VERSION}, the version of this generator, but got "
                f"{cohort.version}. Other versions make other people; use the release that had it."
            )
        return SimulatedCohort(
            n_participants=cohort.n_participants,
            seed=cohort.seed,
            signal=cohort.signal,
            good_components=tuple(modality.good_components),
            n_times=modality.n_times,
            t_r=modality.t_r,
        )
    if isinstance(cohort, UkbCohortConfig):
        from brainage.data.ukb import UkbCohort

        return UkbCohort(
            root=Path(cohort.root),
            phenotypes=Path(cohort.phenotypes),
            instance=cohort.instance,
            member=cohort.member,
        )
    if isinstance(cohort, BidsCohortConfig):
        from brainage.data.bids import BidsCohort

        phenotypes = Path(cohort.phenotypes) if cohort.phenotypes is not None else None
        return BidsCohort(root=Path(cohort.root), phenotypes=phenotypes, pattern=cohort.pattern)
    raise ConfigError(f"`cohort` got a config without a reader: {cohort!r}. Use cohort=simulated, ukb or bids.")


def _draw(config: Config, selection: Selection) -> pd.Series[str]:
    """Draw the split over the table's people, whoever has files; a fixed one is read."""
    from brainage.data import draws
    from brainage.data.split_file import fixed_split

    split, table = config.split, selection.table
    if isinstance(split, FixedSplitConfig):
        return fixed_split(table, Path(split.file))
    arguments = {key: value for key, value in vars(split).items() if key != "name"}
    if isinstance(split, RandomSplitConfig):
        return draws.random_split(table, **arguments)
    if isinstance(split, KFoldSplitConfig):
        return draws.kfold_split(table, **arguments)
    if isinstance(split, LeaveSiteOutSplitConfig):
        drawn = draws.leave_site_out_split(table, **arguments)
        n_left_out = len(table) - len(drawn)
        if n_left_out:
            log.info("%d people without a site, or with a relative at the tested one, are left out", n_left_out)
        return drawn
    raise ConfigError(f"`split` got a config without a draw: {split!r}. Use one of configs/split.")


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


def _prepare(
    config: Config, selection: Selection, split: pd.Series[str], folder: RunFolder, summary: dict[str, Any]
) -> tuple[pd.DataFrame, AgeDataModule]:
    """Return who is used, and their batches; a store that turns out to be damaged is made again, once."""
    from brainage.data.store_files import DamagedStoreError
    from brainage.data.store_writing import discard

    store = _open_store(config, selection, summary)
    people = _record(config, selection, split, store, folder, summary)
    try:
        return people, _datamodule(config, people, store)
    except DamagedStoreError as error:
        log.warning("%s", error)
        discard(store)
    # All of it anew: files may have changed meanwhile, and then other people are in other rows.
    store = _open_store(config, selection, summary)
    people = _record(config, selection, split, store, folder, summary)
    return people, _datamodule(config, people, store)


def _open_store(config: Config, selection: Selection, summary: dict[str, Any]) -> Store:
    from brainage.data.store import open_store

    started = time.monotonic()
    store = open_store(
        Path(config.store.root),
        selection.scans,
        n_components=config.modality.dimension,
        n_times=config.modality.n_times,
    )
    summary["seconds"]["ingest"] = round(time.monotonic() - started, 3)
    summary["cohort"].update(fingerprint=store.fingerprint, n_excluded=len(store.excluded))
    return store


def _record(
    config: Config,
    selection: Selection,
    split: pd.Series[str],
    store: Store,
    folder: RunFolder,
    summary: dict[str, Any],
) -> pd.DataFrame:
    """Return who is used; check it, and write ``exclusions.csv`` and ``splits.csv``."""
    import pandas as pd

    from brainage.data.split import PARTS, check_disjoint, check_parts, family_of

    people = _people(selection, split, store)
    if config.resume is not None:  # before anything of the run is written again
        from brainage.data.datamodule import fingerprint_of
        from brainage.training.checkpoint import check_data

        check_data(folder.path / "checkpoints" / "last.ckpt", fingerprint_of(store, _parts(people)))
    reasons = [(person, f"{kind}: {detail}" if detail else kind) for person, (kind, detail) in store.excluded.items()]
    folder.write_csv("exclusions.csv", pd.DataFrame(reasons, columns=["participant_id", "reason"]))
    _check_excluded(store, len(selection.scans), config.cohort.max_excluded_fraction, folder.path)
    used = people.set_index("participant_id")["split"]
    check_parts(used)
    check_disjoint(used, family_of(selection.table))
    folder.write_csv("splits.csv", people[["participant_id", "split"]])
    summary["n"] = {part: int((used == part).sum()) for part in PARTS}
    if summary["n"]["val"] < 2 and config.objective in ("val/r2", "val/pearson_r"):
        raise ConfigError(
            f"`objective={config.objective}` needs two validation participants or more, but there is 1. Use "
            "objective=val/mse, or let more people take part."
        )
    summary["cohort"]["n_participants"] = len(used)
    log.info("%s", ", ".join(f"{part} {n}" for part, n in summary["n"].items()))
    return people


def _people(selection: Selection, split: pd.Series[str], store: Store) -> pd.DataFrame:
    """Return who is used: participant_id, split, age, row in the store."""
    import pandas as pd

    rows = pd.Series(range(len(store.participant_ids)), index=pd.Index(store.participant_ids, dtype=str))
    table = selection.table
    people = table.loc[table["participant_id"].isin(rows.index), ["participant_id", "age"]].reset_index(drop=True)
    people["split"] = people["participant_id"].map(split)
    people = people[people["split"].notna()].reset_index(drop=True)  # a split may leave people out
    people["row"] = people["participant_id"].map(rows)
    return people


def _check_excluded(store: Store, n_scanned: int, max_fraction: float, folder: Path) -> None:
    """Warn of excluded participants, with counts; stop where they are too many."""
    if not store.excluded:
        return
    counts = Counter(kind for kind, _ in store.excluded.values()).most_common()
    listed = ", ".join(f"{count} x {kind}" for kind, count in counts)
    n_excluded = len(store.excluded)
    fraction = n_excluded / n_scanned
    if fraction > max_fraction or n_excluded == n_scanned:
        raise CohortError(
            f"`cohort.max_excluded_fraction={max_fraction}` is exceeded: {n_excluded} of {n_scanned} participants with "
            f"a file ({fraction:.1%}) cannot be used: {listed}. Who and why is in {folder / 'exclusions.csv'}; mend "
            "the files, or raise the limit."
        )
    log.warning("%d of %d participants with a file are excluded (exclusions.csv): %s", n_excluded, n_scanned, listed)


def _datamodule(config: Config, people: pd.DataFrame, store: Store) -> AgeDataModule:
    from brainage.data.datamodule import AgeDataModule

    return AgeDataModule(
        store,
        _parts(people),
        channels=config.modality.channel_indices,
        batch_size=config.batch_size,
        seed=config.seed,
        residency=config.store.residency,
    )


def _parts(people: pd.DataFrame) -> dict[str, People]:
    from brainage.data.datamodule import People

    return {
        str(part): People(group["row"].to_numpy(), group["age"].to_numpy()) for part, group in people.groupby("split")
    }


def _fit(config: Config, people: pd.DataFrame, data: AgeDataModule, folder: RunFolder, composed: DictConfig) -> Fit:
    from brainage import models
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
            "Training diverged: the network's predictions are not finite numbers. Lower optimizer.lr, or set "
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
        ("  lower by", f"{1 - error / baseline:.0%}"),
        ("participants (train, val, test)", ", ".join(str(n) for n in summary["n"].values())),
        ("parameters", f"{summary['model']['parameters']:,}"),
        ("epochs", f"{summary['epochs']}" + ("" if best is None else f", best {best}")),
        ("time", f"{summary['seconds']['total']:.0f} s, training {summary['seconds']['fit']:.0f} s"),
    ]
    show_table(f"{summary['model']['name']}, cohort {summary['cohort']['name']}", ("", ""), rows)
    print(f"{'Predictions, metrics' if part == 'test' else 'Metrics'}, checkpoints: {folder}")
