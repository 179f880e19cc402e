"""Schemas of how a network is trained: the arguments of a Lightning Trainer, and the recipe."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any

from omegaconf import MISSING

from brainage.config.rules import Bounds, Count, checked, is_number, require


@dataclass
class TrainerRules:
    """Arguments of a Lightning Trainer that a run checks itself, and `compile`, which is the run's own.

    Parameters
    ----------
    callbacks : list
        Callbacks besides the run's own, each a class by ``_target_`` and its arguments.
    max_epochs : int or None
        Epochs at most, 1 or more; -1 is no limit.
    accumulate_grad_batches : int
        Batches of participants whose gradients are added up for one step.
    limit_train_batches, limit_val_batches : int or float or None
        Batches of an epoch that are used, above 0: their number, or their share as a float.
    check_val_every_n_epoch : int or None
        Epochs from one validation to the next.
    compile : bool
        Compile the network in training by `torch.compile`, on a GPU with CUDA graphs: its first step takes a minute.
    """

    callbacks: list[Any] = field(default_factory=list)
    max_epochs: int | None = 175
    accumulate_grad_batches: Count = 1
    check_val_every_n_epoch: Annotated[int | None, Bounds(ge=1)] = 1
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse what would contradict what a run promises, rather than ignore it."""
        for name in ("limit_train_batches", "limit_val_batches"):
            value, why = getattr(self, name), "Without, there is no best epoch."
            require(value is None or (is_number(value) and value > 0), f"trainer.{name}", "above 0", value, why)
        epochs = self.max_epochs
        require(epochs is None or epochs == -1 or epochs >= 1, "trainer.max_epochs", "1 or more (-1: no limit)", epochs)
        self._check_devices()
        for name, allowed, why in TRAINER_LIMITS:
            value = getattr(self, name)
            require(value in allowed, f"trainer.{name}", f"left at {allowed[0]!r}", value, why)

    def _check_devices(self) -> None:
        strategy, devices, sampler = (vars(self)[name] for name in ("strategy", "devices", "use_distributed_sampler"))
        why = "With trainer.devices=N trainer.strategy=ddp, N devices share every batch."
        require(strategy in STRATEGIES, "trainer.strategy", " or ".join(map(repr, STRATEGIES)), strategy, why)
        require(str(devices) == "1" or strategy == "ddp", "trainer.devices", "1 without a strategy", devices, why)
        rule = "false with trainer.strategy=ddp"
        require(not sampler or strategy != "ddp", "trainer.use_distributed_sampler", rule, sampler, why)
        why = "Several devices were not tried with it."
        require(not self.compile or strategy != "ddp", "trainer.compile", rule, self.compile, why)

    def arguments(self) -> dict[str, Any]:
        """Return the values that are set, as keyword arguments for the Trainer; callbacks are made and added later."""
        own = ("callbacks", "compile")
        return {name: value for name, value in vars(self).items() if value is not None and name not in own}


STRATEGIES = ("auto", "ddp")

TRAINER_LIMITS: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    ("num_nodes", (1,), "One run trains on one machine; to use several, start several runs."),
    ("enable_checkpointing", (None, True), "The best epoch's weights come from its checkpoint."),
    ("fast_dev_run", (False, 0), "It leaves no checkpoint; use trainer.max_epochs=1 trainer.limit_train_batches=1."),
    ("default_root_dir", (None,), "Results go to hydra.run.dir."),
    ("barebones", (False,), "It switches off the checkpoints and metrics that a run leaves."),
    ("overfit_batches", (0.0, 0), "It would replace the order of participants; use trainer.limit_train_batches."),
    ("limit_test_batches", (None,), "Every participant is predicted."),
    ("limit_predict_batches", (None,), "Every participant is predicted."),
)

# The other arguments of Lightning's Trainer, so that `trainer.<argument>=` needs no `+`; None leaves one to Lightning.
# Not `logger`, which is a group.
_PASSED_ON: tuple[tuple[Any, Any, str], ...] = (
    (Any, "auto", "accelerator strategy"),
    (Any, None, "precision max_time limit_train_batches limit_val_batches limit_test_batches limit_predict_batches"),
    (Any, None, "val_check_interval profiler plugins"),
    (Any, 1, "devices"),
    (Any, False, "fast_dev_run"),
    (Any, 0.0, "overfit_batches"),
    (Any, True, "deterministic"),
    (int, 1, "num_nodes"),
    (int, -1, "max_steps"),
    (int, 0, "reload_dataloaders_every_n_epochs"),
    (int | None, None, "min_epochs min_steps log_every_n_steps"),
    (int | None, 0, "num_sanity_val_steps"),
    (bool, True, "inference_mode enable_autolog_hparams"),
    (bool, False, "use_distributed_sampler detect_anomaly barebones sync_batchnorm"),
    (bool | None, None, "enable_checkpointing enable_progress_bar benchmark"),
    (bool | None, False, "enable_model_summary"),
    (float | None, None, "gradient_clip_val"),
    (str | None, None, "gradient_clip_algorithm default_root_dir model_registry"),
)
_TRAINER_FIELDS = [
    (name, kind, field(default=default)) for kind, default, names in _PASSED_ON for name in names.split()
]
_ABOUT = {"__doc__": "Other arguments of `pytorch_lightning.Trainer`."}
TrainerConfig: Any = checked("trainer")(
    make_dataclass("TrainerConfig", _TRAINER_FIELDS, bases=(TrainerRules,), namespace=_ABOUT)
)


@checked("optimizer")
@dataclass
class OptimizerRules:
    """What every optimizer's config has besides the other arguments of its class.

    Parameters
    ----------
    lr : float
        Learning rate: the size of a step, in units of the weights.
    weight_decay : float
        How strongly weights are drawn to 0: as a share of them per unit of learning rate with ``adamw``, as an L2
        penalty with ``adam``.
    """

    lr: Annotated[float, Bounds(gt=0, strict=True, allow_inf_nan=False)] = MISSING
    weight_decay: Annotated[float, Bounds(ge=0, strict=True, allow_inf_nan=False)] = 0.0


_LAST_EPOCH = "trainer.max_epochs is its default, if that is a number. Without a last epoch, use scheduler=none."


@checked("scheduler")
@dataclass
class SchedulerRules:
    """What a scheduler's config may have besides the other arguments of its class.

    Parameters
    ----------
    T_max : float
        The epoch at which the learning rate is lowest.
    """

    T_max: Annotated[float, Bounds(ge=1, strict=True, allow_inf_nan=False, description=_LAST_EPOCH)] = 1


@checked("recipe")
@dataclass
class RecipeConfig:
    """How a network is trained, besides its optimizer, scheduler and trainer, which a recipe sets too.

    Parameters
    ----------
    name : str
        The config's own name.
    circular_shift, cutmix
        See `brainage.data.augmentation.Augmentation`.
    weight_averaging : float
        Share of the averaged weights that a step keeps; validation, the saved network and predictions use the average.
        0 disables it.
    shuffle_time : bool
        Shuffle the time points of each participant, with one permutation for all channels, in training, validation and
        predictions: a control that keeps connectivity and has no order of time to learn. A participant's permutation
        is the same in all epochs, because a new one in each would also be an augmentation.
    """

    name: str = "none"
    circular_shift: bool = False
    cutmix: Annotated[float, Bounds(ge=0, allow_inf_nan=False, description="0 mixes nothing.")] = 0.0
    weight_averaging: Annotated[float, Bounds(ge=0, lt=1, description="0 averages nothing.")] = 0.0
    shuffle_time: bool = False
