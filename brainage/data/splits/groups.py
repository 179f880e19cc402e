"""Splits of cohorts with groups: the reference group trains, validates and is tested; cases are tested only."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from brainage.config.groups.split import KFoldSplitConfig, LeaveSiteOutSplitConfig, SplitConfig
from brainage.data.splits.checks import group_keys
from brainage.data.splits.draw import folds_of
from brainage.errors import SplitError
from brainage.evaluation.variables import in_reference
from brainage.system.console import log


@dataclass(frozen=True)
class Members:
    """Participants of the reference group, and of other groups: rows of the cohort's table."""

    reference: pd.DataFrame
    cases: pd.DataFrame


def divide(table: pd.DataFrame, column: str, reference: str) -> Members:
    """Divide a table; participants whose group is unknown, and relatives of cases, are in neither part.

    See `in_reference`.
    """
    is_reference, is_known = in_reference(table[column], reference), table[column].notna()
    keys, is_case = group_keys(table), is_known & ~is_reference
    related = keys.isin(set(keys[is_case])) & ~is_case
    if n_left_out := int((related | ~is_known).sum()):
        log.info("%d participants without a group, or with a relative in another group, are left out", n_left_out)
    return Members(*(table[chosen].reset_index(drop=True) for chosen in (is_reference & ~related, is_case)))


def tested_cases(config: SplitConfig, cases: pd.DataFrame) -> pd.DataFrame:
    """Return the cases whom a split tests: with folds or sites those of the tested one, so that each is tested once."""
    if isinstance(config, KFoldSplitConfig):
        cases = cases.sort_values("participant_id", ignore_index=True)
        repeat = getattr(config, "repeat", 0)
        folds = folds_of(cases, n_folds=config.n_folds, seed=config.seed, stratify=config.stratify, repeat=repeat)
        chosen = folds == config.fold
    elif isinstance(config, LeaveSiteOutSplitConfig):
        chosen = cases["site"].eq(config.site).to_numpy()
    else:
        return cases
    tested: pd.DataFrame = cases[chosen]
    return tested


def with_cases(split: pd.Series[str], cases: pd.DataFrame) -> pd.Series[str]:
    """Return a split of the reference group with cases in its test part."""
    index = pd.Index(cases["participant_id"], name="participant_id")
    tested = pd.Series("test", index=index, name="split", dtype=str)
    log.info("%d participants of other groups than the reference are tested only", len(cases))
    return pd.concat([split, tested]).sort_index()


def checked_split(split: pd.Series[str], reference: pd.DataFrame) -> pd.Series[str]:
    """Return a given split; raise a SplitError if others than the reference group train or validate."""
    fitted = split[split.isin(("train", "val"))]
    if n_others := int((~fitted.index.isin(reference["participant_id"])).sum()):
        raise SplitError(
            f"`split.file`: only participants of the reference group, without relatives in other groups, may train "
            f"and validate, but {n_others} of {len(fitted)} there are not. Move them to test, or remove their rows."
        )
    return split
