"""Schemas of where results go and what they have: store, output folders, associations, report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from brainage.config.rules import Bounds, PathText, checked, choice

ROWS = ("test", "val+test", "all")
INTERVAL_KINDS = ("auto", "adaptive", "symmetric")


@checked("store")
@dataclass
class StoreConfig:
    """The folder of all stores, and how training reads them.

    Parameters
    ----------
    root : str
        Folder of all stores.
    residency : {"auto", "memory", "memmap"}
        Load the series into memory, or map the store's file; `auto` loads them if they take less than a quarter of
        the free memory.
    """

    root: PathText = "outputs/store"
    residency: Annotated[str, choice("auto", "memory", "memmap")] = "auto"


@checked("outputs")
@dataclass
class OutputsConfig:
    """Who may read what a command writes.

    Parameters
    ----------
    mode : {"private", "group"}
        Files and folders are readable by their owner only (0600, 0700), or by the owner's group too (0640, 0750).
    """

    mode: Annotated[str, choice("private", "group")] = "private"


@checked("associations")
@dataclass
class AssociationsConfig:
    """What the gap is correlated with, and in which participants.

    Parameters
    ----------
    rows : {"test", "val+test", "all"}
        The rows that are analysed.
    variables : list of str or None
        Columns of the cohort's table; None is every phenotype.
    covariates : list of str or None
        Columns that partial correlations are adjusted for, besides age and age squared; None is sex, head motion and
        site, where they are known.
    planned : list of str or None
        Variables that were planned before the data were seen: they are corrected for multiple tests by themselves.
    """

    rows: Annotated[str, choice(*ROWS)] = "test"
    variables: list[str] | None = None
    covariates: list[str] | None = None
    planned: list[str] | None = None


@checked("intervals")
@dataclass
class IntervalsConfig:
    """Prediction intervals, fitted on validation participants.

    Parameters
    ----------
    level : float
        Share of participants whose age shall be between the bounds.
    kind : {"auto", "adaptive", "symmetric"}
        Whether widths depend on the predicted age, or are the same for all. ``auto`` is adaptive from 150 validation
        participants.
    """

    level: Annotated[float, Bounds(ge=0.5, le=0.99)] = 0.9
    kind: Annotated[str, choice(*INTERVAL_KINDS)] = INTERVAL_KINDS[0]


@checked("report")
@dataclass
class ReportConfig:
    """The report.

    Parameters
    ----------
    points : {"all", "none"}
        Draw participants as points, for pages that are not shared, or as densities that show no single participant.
    n_resamples : int
        Bootstrap resamples behind the intervals of accuracy.
    """

    points: Annotated[str, choice("all", "none")] = "none"
    n_resamples: Annotated[int, Bounds(ge=100, le=1_000_000)] = 2000
