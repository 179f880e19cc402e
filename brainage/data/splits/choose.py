"""The split that a config asks for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from brainage.config.groups.groups import GroupsConfig
from brainage.config.groups.split import (
    ALL,
    DrawnSplitConfig,
    FixedSplitConfig,
    KFoldSplitConfig,
    LeaveSiteOutSplitConfig,
    RandomSplitConfig,
    SplitConfig,
)
from brainage.data.splits.draw import kfold_split, leave_site_out_split, random_split, reduced_training
from brainage.data.splits.fixed import fixed_split
from brainage.data.splits.groups import checked_split, divide, tested_cases, with_cases
from brainage.errors import ConfigError
from brainage.system.console import log


def choose_split(config: SplitConfig, table: pd.DataFrame, groups: GroupsConfig | None = None) -> pd.Series[str]:
    """Draw the split over the table's participants, or read a fixed one.

    With a reference group, only its participants train and validate, see `brainage.data.splits.groups`.
    """
    if groups is None or groups.column is None or groups.reference is None:
        return _chosen(config, table)
    members = divide(table, groups.column, groups.reference)
    if isinstance(config, FixedSplitConfig):
        return checked_split(_chosen(config, table), members.reference)
    return with_cases(_chosen(config, members.reference), tested_cases(config, members.cases))


def _chosen(config: SplitConfig, table: pd.DataFrame) -> pd.Series[str]:
    if isinstance(config, FixedSplitConfig):
        return fixed_split(table, Path(config.file))
    if not isinstance(config, DrawnSplitConfig):
        raise ConfigError(f"`split` got an unknown config: {config!r}. Use one of configs/split.")
    split = _drawn(config, table)
    if config.n_train in (None, ALL):
        return split
    log.info("%s of %d training participants are used", config.n_train, int((split == "train").sum()))
    return reduced_training(split, int(config.n_train), config.seed)


def _drawn(config: DrawnSplitConfig, table: pd.DataFrame) -> pd.Series[str]:
    beside = ("name", "n_train", "n_repeats")
    arguments = {key: value for key, value in vars(config).items() if key not in beside}
    if isinstance(config, RandomSplitConfig):
        return random_split(table, **arguments)
    if isinstance(config, KFoldSplitConfig):
        return kfold_split(table, **arguments)
    if isinstance(config, LeaveSiteOutSplitConfig):
        split = leave_site_out_split(table, **arguments)
        if n_left_out := len(table) - len(split):
            log.info("%d participants without a site, or with a relative at the test site, are left out", n_left_out)
        return split
    raise ConfigError(f"`split` got an unknown config: {config!r}. Use one of configs/split.")
