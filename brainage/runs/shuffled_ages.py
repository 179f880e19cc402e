"""Train a run's network again, briefly, on shuffled ages: what its maps have in common with the run's is not age."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from brainage import models
from brainage.config.allowed import TORCH, is_class_of
from brainage.config.code import is_own
from brainage.config.instantiate import instance
from brainage.config.schema import Config
from brainage.data.datamodule import AgeDataModule
from brainage.data.participants import Participants
from brainage.errors import EvaluationError
from brainage.training.fit import FitSettings, fit

# Training participants by whose error, to their shuffled ages, the epoch is chosen.
_N_FITTED = 500


def network_of_shuffled_ages(
    config: Config, training: Participants, folder: Path, *, epochs: int, seed: int
) -> nn.Module:
    """Train a new network of the run's config on its training participants with permuted ages.

    It keeps batch size, optimizer and learning rate; there is no scheduler and no augmentation. Training continues from
    the checkpoint in the folder, if there is one.

    Parameters
    ----------
    config, training : Config, Participants
        Those of the run.
    folder : Path
        Where checkpoints are written.
    epochs : int
        The epoch with the lowest error on the shuffled ages is kept.
    seed : int
        Governs the permutation and the initial weights.

    Raises
    ------
    EvaluationError
        The run's optimizer is neither torch's nor the user's own.
    """
    target = str(config.optimizer.get("_target_"))
    if not (is_class_of(TORCH, target) or is_own(target)):  # the folder of a run may come from a stranger
        raise EvaluationError(
            "`shuffled_epochs` trains with the run's optimizer, which must be one of torch or of code=FILE, but is "
            "another. Leave it out."
        )
    ages = np.random.default_rng(seed).permutation(training.ages)
    table = training.table.assign(age=ages, split="train")
    both = pd.concat([table, table.iloc[:_N_FITTED].assign(split="val")], ignore_index=True)
    data = AgeDataModule(
        replace(training, table=both, scan_ages={}),
        batch_size=config.batch_size if isinstance(config.batch_size, int) else None,
        seed=seed,
        residency=config.store.residency,
    )
    settings = FitSettings(
        optimizer=instance("optimizer", config.optimizer),
        scheduler=None,
        trainer_arguments={"accelerator": "auto", "devices": 1, "max_epochs": epochs, "deterministic": True},
        seed=seed,
        patience=epochs,
        output_bias=float(ages.mean()) if config.model_value("output_bias") == "mean_age" else None,
    )
    name, arguments = config.model_value("name"), config.network_arguments
    fitted = fit(lambda: models.build(name, arguments), data, settings, folder, fingerprints=[data.fingerprint])
    return fitted.network.cpu().requires_grad_(False).eval()
