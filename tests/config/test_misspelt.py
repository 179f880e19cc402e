"""Misspelt keys of the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from brainage.config.misspelt import nearest_key, refuse_unknown
from brainage.errors import ConfigError


@dataclass
class Inner:
    max_epochs: int = 1
    lr: float = 0.1


@dataclass
class Outer:
    trainer: Inner = field(default_factory=Inner)
    optimizer: Any = field(default_factory=dict)
    seed: int = 1


def config(*added: str) -> DictConfig:
    made = OmegaConf.structured(Outer)
    OmegaConf.set_struct(made, False)
    for key in added:
        OmegaConf.update(made, key, 3, force_add=True)
    assert isinstance(made, DictConfig)
    return made


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("trainr", "trainer"),
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("trainr.max_epoch", "trainer.max_epochs"),
        ("experimnt", "experiment"),
        ("trainer.experimnt", None),
        ("seed.x", None),
        ("zzz", None),
    ],
)
def test_the_nearest_key_is_found_part_by_part(key: str, near: str | None) -> None:
    assert nearest_key(config(), key, ["experiment", "sweep"]) == near


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("+trainer.max_epoch=3", r"`trainer.max_epoch` .* nothing reads .* Did you mean `trainer.max_epochs`, without"),
        ("++sed=3", r"`sed` .* Did you mean `seed`"),
        ("+zzz=3", r"`zzz` must be a key that exists: nothing reads one that `\+` adds here\.$"),
    ],
)
def test_an_added_key_that_nothing_reads_is_refused(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        refuse_unknown(config(word.strip("+").partition("=")[0]), [word])


def test_an_added_key_that_is_read_is_accepted() -> None:
    words = ["+base=3", "seed=${base}", "+optimizer.betas=3", "++trainer.lr=3", "+hydra.launcher.x=3", "~trainer.lr"]
    refuse_unknown(config("base", "optimizer.betas"), words)
    with pytest.raises(ConfigError, match="`base`"):  # no other word refers to it
        refuse_unknown(config("base", "optimizer.betas"), ["+base=3"])
