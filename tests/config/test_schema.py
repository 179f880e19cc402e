"""Schemas, and every YAML: composed, complete, and one fast step of each choice."""

import inspect
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig
from pytorch_lightning import Trainer

from brainage.config.hydra import parse
from brainage.config.schema import SCHEMAS
from brainage.errors import ConfigError, ImpossibleArchitectureError
from tests.conftest import FAST, ROOT, every

CONFIGS = ROOT / "configs"
CHOICES = sorted(
    (group.name, path.relative_to(group).with_suffix("").as_posix())
    for group in CONFIGS.iterdir()
    if group.is_dir() and group.name not in ("local", "hydra")
    for path in group.rglob("*.yaml")
)
# Choices of another name than their network.
NETWORKS = {"pooled1dcnn": "variable1dcnn"}
NEEDS = {
    "ukb": ["cohort.root=x", "cohort.phenotypes=y"],
    "bids": ["cohort.root=x"],
    "abide": ["cohort.root=x"],
    "parcels": ["modality.dimension=10", "modality.n_times=490", "modality.t_r=0.735"],
    "kfold": ["split.fold=1"],
    "repeated_kfold": ["split.fold=1", "split.repeat=2"],
    "leave_site_out": ["split.site=Cheadle"],
    "fixed": ["split.file=splits.csv"],
}
Compose = Callable[..., DictConfig]
RunJob = Callable[..., dict[str, Any]]


def test_there_are_configs_of_every_group() -> None:
    groups = {group for group, _ in CHOICES}
    assert groups == {
        "cohort",
        "experiment",
        "logger",
        "modality",
        "model",
        "optimizer",
        "recipe",
        "scheduler",
        "split",
        "sweep",
        "trainer",
    }


@pytest.mark.parametrize(("group", "choice"), every(6, CHOICES), ids=lambda value: value)
def test_every_config_composes_and_passes_its_schema(group: str, choice: str, composed: Compose) -> None:
    parsed = parse(composed(f"{group}={choice}", *NEEDS.get(choice, [])))
    if group not in ("experiment", "logger", "scheduler", "optimizer", "sweep"):
        names = {"trainer": lambda: parsed.trainer.accelerator, "model": lambda: parsed.model_value("name")}
        assert names.get(group, lambda: getattr(parsed, group).name)() == NETWORKS.get(choice, choice)


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=lambda value: value)
def test_every_config_begins_with_a_line_for_the_help(group: str, choice: str) -> None:
    lines = (CONFIGS / group / f"{choice}.yaml").read_text().splitlines()
    assert [line for line in lines[:2] if line.startswith("# ") and "@package" not in line]


@pytest.mark.parametrize(
    ("group", "choice"),
    [
        step
        for group, choices in groupby(CHOICES, key=itemgetter(0))
        if group not in ("cohort", "trainer", "logger")
        for step in every(len(CHOICES), choices)  # the first
    ],
    ids=lambda value: value,
)
@pytest.mark.usefixtures("undrawn")
def test_every_choice_takes_one_fast_step(
    group: str, choice: str, run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = zip(range(1, 41), ["train"] * 32 + ["val"] * 4 + ["test"] * 4, strict=True)
    lines = ["participant_id,split", *(f"sim{number:06d},{part}" for number, part in parts)]
    Path("splits.csv").write_text("\n".join(lines))
    overrides = [f"{group}={choice}", *NEEDS.get(choice, []), *FAST]
    summary = run_job(*overrides, "trainer.limit_train_batches=1")
    assert summary["status"] == "finished"
    assert summary["epochs"] == 1
    # Eight of 40 in a fold; 11 of these simulated people at the site, and floor(0.1 * 29) of the others validate.
    sizes = {"kfold": (28, 4, 8), "repeated_kfold": (28, 4, 8), "leave_site_out": (27, 2, 11)}.get(choice, (32, 4, 4))
    assert tuple(summary["n"].values()) == sizes


def test_several_loggers_compose(composed: Compose) -> None:
    assert set(composed("logger=[wandb,tensorboard]").logger) == {"wandb", "tensorboard"}
    assert composed("logger=wandb", "logger.wandb.mode=online").logger.wandb.mode == "online"
    assert composed("logger=wandb").logger.wandb.mode == "offline"


def test_the_trainer_takes_whatever_lightnings_takes() -> None:
    lightning = set(inspect.signature(Trainer.__init__).parameters) - {"self", "logger"}
    assert set(SCHEMAS["trainer"].__dataclass_fields__) == lightning | {"compile"}


@pytest.mark.parametrize(
    ("modality", "components", "n_channels", "first", "last"),
    [
        ("ica25", "good", 21, 0, 21),
        ("ica25", "all", 25, 0, 24),
        ("ica100", "good", 55, 1, 92),
        ("ica100", "all", 100, 0, 99),
    ],
)
def test_components_decide_the_channels_everywhere(
    modality: str, components: str, n_channels: int, first: int, last: int, composed: Compose
) -> None:
    parsed = parse(composed(f"modality={modality}", f"modality.components={components}"))
    indices = parsed.modality.channel_indices()
    assert (len(indices), indices[0], indices[-1]) == (n_channels, first, last)
    assert parsed.modality.n_channels == parsed.model.in_channels == n_channels


def test_the_good_components_are_all_but_the_artefacts(composed: Compose) -> None:
    d25 = parse(composed("modality=ica25")).modality.good_components
    assert set(range(1, 26)) - set(d25) == {4, 23, 24, 25}
    d100 = parse(composed("modality=ica100")).modality.good_components
    assert d100 == [*range(2, 44), 45, 46, 48, 49, 50, 52, 53, 57, 58, 60, 63, 64, 93]


def test_the_final_models_have_the_published_hyperparameters(composed: Compose) -> None:
    for name, parameters in (("ica25", 73_025), ("ica100", 383_489)):
        from brainage import models

        parsed = parse(composed(f"experiment=final_models/{name}"))
        network = models.build(parsed.model.name, parsed.network_arguments)
        assert sum(p.numel() for p in network.parameters()) == parameters
        assert parsed.optimizer["weight_decay"] == 0.1
    assert parsed.optimizer["lr"] == 0.00020177405202416644


def test_the_confirmed_network_and_recipe_are_the_defaults(composed: Compose) -> None:
    default, named = parse(composed()), parse(composed("model=variable1dcnn"))
    assert (default.model.readout, default.model.kernel_size, default.recipe.name) == ("global_average", 4, "cutmix")
    assert (named.model.readout, named.model.kernel_size) == ("flatten", 5)


def test_overrides_win_over_an_experiment(composed: Compose) -> None:
    job = composed("experiment=final_models/ica25", "model.kernel_size=7", "seed=5")
    assert job.model.kernel_size == 7
    assert job.seed == 5


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("model.kernel_size=0", "`model.kernel_size` must be 1 or more, but got 0"),
        ("model.stride=0", "`model.stride` must be 1 or more, but got 0"),
        ("model.depth=-2", "`model.depth` must be 1 or more, but got -2"),
        ("model.dilation=0", "`model.dilation` must be 1 or more, but got 0"),
        ("model.start_out=0", "`model.start_out` must be 1 or more"),
        ("model.conv_dropout=1", r"`model.conv_dropout` must be in \[0, 1\), but got 1.0"),
        ("model.final_dropout=-0.1", r"`model.final_dropout` must be in \[0, 1\), but got -0.1"),
        ("model.final_dropout=nan", r"`model.final_dropout` must be in \[0, 1\), but got nan"),
        ("model.output_bias=median", "`model.output_bias` got 'median'.*mean_age, zero"),
        ("optimizer.lr=0", "`optimizer.lr` must be a number above 0, but got 0"),
        ("optimizer.lr=-1e-3", "`optimizer.lr` must be a number above 0, but got -0.001"),
        ("optimizer.lr=fast", "`optimizer.lr` must be a number above 0, but got 'fast'"),
        ("optimizer.lr=inf", "`optimizer.lr` must be a number above 0, but got inf"),
        ("optimizer.weight_decay=-1", "`optimizer.weight_decay` must be 0 or more, but got -1"),
        ("batch_size=1", "`batch_size` must be 2 or more, or auto, but got 1"),
        ("batch_size=some", "`batch_size` must be 2 or more, or auto, but got 'some'"),
        ("patience=0", "`patience` must be 1 or more"),
        ("seed=-1", "`seed` must be from 0 to .*but got -1"),
        ("split.seed=-1", "`split.seed` must be 0 or more"),
        ("split.train_fraction=1", "`split.train_fraction` must be in \\(0, 1\\)"),
        ("split.val_fraction=0.2", "must be under 1, so that a test set is left, but got 1.0"),
        ("split.stratify=sex", "`split.stratify` got 'sex'. Choose one of age"),
        ("objective=val/loss", "`objective` got 'val/loss'.*Did you mean"),
        ("modality.components=god", "`modality.components` got 'god'.*Did you mean `good`"),
        ("modality.good_components=[3,2]", "`modality.good_components` must be rising component numbers from 1 to 25"),
        ("modality.good_components=[0,2]", "`modality.good_components` must be rising"),
        ("modality.n_channels=3", "`modality.n_channels` must be 21.*but got 3.*leave it out"),
        ("model.n_times=300", "`model.n_times` must be 490, as the modality has, but got 300"),
        ("cohort.name=ukb", "`cohort.name` must be 'simulated', but got 'ukb'. Use cohort=NAME"),
        ("split.name=kfold", "`split.name` must be 'random', but got 'kfold'. Use split=NAME"),
        ("model.name=simple1dcnn", "`model.name` must be 'variable1dcnn', but got 'simple1dcnn'. Use model=NAME"),
        ("modality.n_times=1", "`modality.n_times` must be from 2 to 1000000"),
        ("cohort.n_participants=0", "`cohort.n_participants` must be from 1 to 999999"),
        ("cohort.signal=-1", "`cohort.signal` must be 0 or more"),
        ("cohort.version=3", "`cohort.version` must be from 1 to 2, but got 3. Use the release"),
        (
            "cohort.parts.dynamics=0",
            "`cohort.parts.dynamics` must be left out with cohort.version=1, .*Add cohort.vers",
        ),
        ("cohort.sites=different", "`cohort.sites` must be left out with cohort.version=1, .*got 'different'. Add"),
        ("cohort.parts.spectrum=-1", "`cohort.parts.spectrum` must be 0 or more, but got -1"),
        ("cohort.max_excluded_fraction=2", "`cohort.max_excluded_fraction` must be from 0 to 1"),
        ("cohort=ukb", "`cohort.phenotypes`, `cohort.root` must be given"),
        ("cohort=bids", "`cohort.root` must be given"),
        ("store.residency=disk", "`store.residency` got 'disk'"),
        ("trainer.max_epochs=0", "`trainer.max_epochs` must be 1 or more"),
        ("trainer.compile=true trainer.strategy=ddp", "`trainer.compile` must be false with trainer.strategy=ddp"),
        ("trainer.devices=2", "`trainer.devices` must be 1 without a strategy.*trainer.strategy=ddp"),
        ("trainer.enable_checkpointing=false", "`trainer.enable_checkpointing` must be left at"),
        ("trainer.limit_predict_batches=1", "`trainer.limit_predict_batches` must be left.*Every participant"),
        ("trainer.overfit_batches=0.5", "`trainer.overfit_batches` must be left"),
    ],
    ids=lambda value: value if "=" in value and "`" not in value else "",
)
def test_a_value_that_breaks_a_rule_is_refused(override: str, match: str, composed: Compose) -> None:
    with pytest.raises(ConfigError, match=match):
        parse(composed(*override.split()))


@pytest.mark.parametrize("value", ["[]", "[a,null]", "{a: b}", "3", "''"])
def test_tables_are_a_path_or_a_list_of_paths(value: str, composed: Compose) -> None:
    message = r"`cohort.phenotypes` must be a file or a list of files, but got .*cohort.phenotypes=\[FILE,FILE\]"
    with pytest.raises(ConfigError, match=message):
        parse(composed("cohort=bids", "cohort.root=x", f"cohort.phenotypes={value}"))


def test_several_tables_may_be_in_the_home_folder(composed: Compose) -> None:
    config = parse(composed("cohort=bids", "cohort.root=x", "cohort.phenotypes=['~/a.csv',b.csv]"))
    assert config.cohort.tables == [str(Path.home() / "a.csv"), "b.csv"]


def test_an_impossible_network_is_a_mistake_in_the_config() -> None:
    assert issubclass(ImpossibleArchitectureError, ConfigError)
    assert issubclass(ConfigError, ValueError)
