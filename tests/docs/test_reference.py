"""The reference has every command and every key, each with a description and, where it is a number, a unit."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_type_hints

import pytest

from brainage.__main__ import COMMANDS
from brainage.config.commands import COMMAND_SCHEMAS
from brainage.config.groups.cohort import AbideCohortConfig, UkbCohortConfig
from brainage.config.groups.modality import FETCHERS, ModalityConfig
from brainage.config.groups.model import Variable1DCNNConfig
from brainage.config.schema import SCHEMAS, Config
from brainage.sweep.settings import SweepSettings
from brainage.system.files import CONFIGS
from docs.sphinx_ext.docstrings import described
from docs.sphinx_ext.groups import sections_of
from docs.sphinx_ext.keys import Key, choices_of, key_of, types_of
from docs.sphinx_ext.reference import COMBINING, command_keys
from docs.sphinx_ext.values import choices, composed, default_text, node
from tests.conftest import ROOT

# What numbers count or measure. Others, such as seeds, are dimensionless.
UNITS = "|".join([
    "seconds", r"\bHz\b", r"\bGB\b", r"epochs?\b", r"steps?\b", "time points", "learning rate", "share", "probability",
    "units of",
    r"numbers? (of|\(from 1\))", "participants", "components", "parcels", "channels", "layers", "folds", "trials",
    "processes", "batches", "resamples", "windows", "parameters",
])  # fmt: skip
DIMENSIONLESS = {
    *("seed", "cohort.seed", "split.seed", "model.seed", "cohort.version", "cohort.instance", "cohort.signal"),
    "cohort.entities",
    *(f"cohort.parts.{part}" for part in ("connectivity", "spectrum", "dynamics")),
    *("modality.ukb_field", "optimizer.weight_decay", "scheduler.min_lr", "trainer.gradient_clip_val"),
}  # fmt: skip


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


def groups() -> list[str]:
    """Return every group of configs/ as a user names it."""
    folders = [path for path in CONFIGS.rglob("*") if path.is_dir() and any(path.glob("*.yaml"))]
    found = [
        folder.relative_to(CONFIGS).as_posix() for folder in folders if not folder.name.endswith(("local", "logging"))
    ]
    return sorted({"experiment" if name.startswith("experiment") else name for name in found})


def leaves(values: Any, name: str) -> Iterator[str]:
    """Return the dotted keys of a config."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, f"{name}.{key}") if not key.startswith("_") else ()
    elif values != {}:
        yield name


def undescribed(keys: Iterable[Key]) -> list[str]:
    """Return the keys without a description, and the numbers whose description has no unit."""
    without = [key.name for key in keys if len(key.text) < 8]
    numbers = [key for key in keys if re.search(r"\b(int|float)\b", key.kind) and key.name not in DIMENSIONLESS]
    return without + [key.name for key in numbers if not re.search(UNITS, key.text, re.IGNORECASE)]


def test_the_pages_have_every_group_and_every_command() -> None:
    assert sorted(re.findall(r"^```\{group-keys\} (\S+)", page("groups"), flags=re.MULTILINE)) == groups()
    shown = re.findall(r"^```\{command-(?:keys|help)\} (\w+)", page("commands"), flags=re.MULTILINE)
    assert set(shown) == set(COMMANDS)


@pytest.mark.more
@pytest.mark.parametrize("group", [group for group in groups() if group not in COMBINING])
def test_every_key_of_a_group_is_described_and_has_a_unit(group: str) -> None:
    keys = {name: key for section in sections_of(group) for name, key in section.keys.items()}
    composed_keys = {key for name in choices(group) for key in leaves(node(group, name), group.replace("/", "."))}
    assert {key for key in composed_keys if not any(key.startswith(name) for name in keys)} == set()
    assert undescribed(keys.values()) == []


@pytest.mark.more
@pytest.mark.parametrize("command", ["train", *COMMAND_SCHEMAS])
def test_every_key_of_a_command_is_described(command: str) -> None:
    keys = [key for key, _ in command_keys(command)]
    tops = {key.name.partition(".")[0] for key in keys}
    assert {name for name in composed(command) if name not in tops} == {"hydra"}
    assert undescribed(keys) == []


@pytest.mark.parametrize("schema", [Config, *SCHEMAS.values(), *COMMAND_SCHEMAS.values(), SweepSettings],
                         ids=lambda schema: schema.__name__)  # fmt: skip
def test_types_in_docstrings_are_those_of_the_annotations(schema: Any) -> None:
    for field in dataclasses.fields(schema):
        hint = get_type_hints(schema, include_extras=True)[field.name]
        type_ = described(schema, field.name)[0].partition(", default=")[0]
        if (listed := set(re.findall(r'"([\w+/]+)"', type_))) and choices_of(hint):
            assert listed == set(choices_of(hint)), field.name
        plain = [one for one in types_of(hint) if one in (int, float, bool, str)]
        if type_ and len(plain) == 1 and not choices_of(hint):
            assert type_.removesuffix(" or None") == plain[0].__name__, field.name
            assert type_.endswith(" or None") == (NoneType in types_of(hint)), field.name


@pytest.mark.parametrize(
    ("schema", "name", "kind", "rule", "text"),
    [
        (ModalityConfig, "t_r", "float or `null`", "a number above 0", "in seconds"),
        (ModalityConfig, "components", "`good` or `all`", "", "Which of them"),
        (AbideCohortConfig, "max_excluded_fraction", "float", "from 0 to 1", "share of the participants"),
        (UkbCohortConfig, "phenotypes", "str, list of str, or `null`", "", "`null` is for prediction only"),
        # The network's docstring describes it.
        (Variable1DCNNConfig, "kernel_size", "int", "1 or more", "in time points"),
        (SCHEMAS["trainer"], "num_nodes", "int", "", "must be left at `1`"),
        (SCHEMAS["trainer"], "max_epochs", "int or `null`", "", "-1 is no limit"),
        (SCHEMAS["trainer"], "gradient_clip_val", "float or `null`", "", "clip gradients"),
        (SweepSettings, "direction", "`minimize`, `maximize`, or list of str", "", "one for each of several"),
    ],
)  # fmt: skip
def test_a_key_has_type_rule_and_description(schema: Any, name: str, kind: str, rule: str, text: str) -> None:
    prefix = "trainer." if schema is SCHEMAS["trainer"] else ""
    key = key_of(schema, name, get_type_hints(schema, include_extras=True)[name], f"{prefix}{name}")
    assert (key.kind, key.rule) == (kind, rule)
    assert text in key.text


def test_defaults_are_not_those_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs", ignore=shutil.ignore_patterns("experiment", "local"))
    (tmp_path / "configs" / "local").mkdir()
    (tmp_path / "configs" / "local" / "default.yaml").write_text("# @package _global_\nbatch_size: 77\n")
    monkeypatch.setattr("docs.sphinx_ext.values.CONFIGS", tmp_path / "configs")
    assert composed.__wrapped__("train")["batch_size"] == 64


def test_the_atlases_of_nilearn_are_all_named() -> None:
    text = described(ModalityConfig, "atlas")[1]
    assert set(re.findall(r"`(\w+)`", text.partition("fetches:")[2])) == set(FETCHERS)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"a": 1, "b": 1}, "`1`"),
        ({"a": 1, "b": None, "c": 1}, "`1` (a, c), `null` (b)"),
        ({"a": "a", "b": "b"}, "that of the choice"),
        ({"a": "???", "b": [1] * 9}, "required (a), a list of 9 (b)"),
        ({"a": True}, "`true`"),
        ({"a": "${brainage.n_channels:1}"}, "derived"),
    ],
)
def test_the_default_is_said_once_or_by_choice(values: dict[str, Any], text: str) -> None:
    assert default_text(values) == text
