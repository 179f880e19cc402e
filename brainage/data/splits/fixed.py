"""Read a split from a table of participants and their parts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from brainage.data.cohorts.columns import participant_ids
from brainage.data.cohorts.tables import check_columns, read_columns, read_header, row_list
from brainage.data.splits import PARTS
from brainage.data.splits.checks import check_parts
from brainage.errors import SplitError
from brainage.system.console import log


def fixed_split(table: pd.DataFrame, path: Path) -> pd.Series[str]:
    """Read the part of each participant from a file such as a run's ``splits.csv``; omit those in one table only."""
    label = f"`split.file={path}`"
    check_columns(("participant_id", "split"), read_header(path, key="split.file"), label)
    columns = read_columns(path, ("participant_id", "split"), key="split.file")
    ids = participant_ids(columns["participant_id"], label)
    parts = columns["split"].str.casefold()
    if (wrong := ~parts.isin(PARTS)).any():
        raise SplitError(
            f"{label}: `split` must be one of {', '.join(PARTS)}, but {int(wrong.sum())} rows have something else "
            f"({row_list(columns.index[wrong])}). Correct them."
        )
    if (repeated := ids.duplicated(keep=False)).any():
        raise SplitError(
            f"{label}: each participant must be in one row, but {ids[repeated].nunique()} are in several "
            f"({row_list(columns.index[repeated])}). Remove the others."
        )
    known = ids.isin(table["participant_id"])
    n_known, n_cohort = int(known.sum()), len(table)
    if not n_known:
        raise SplitError(
            f"{label}: none of its {len(ids)} participants is in the cohort's table, which has {n_cohort}. Check that "
            "both use the same ids."
        )
    log.info(
        f"{label}: {n_known} of its {len(ids)} participants are in the cohort's table; the other "
        f"{n_cohort - n_known} participants there are left out"
    )
    index = pd.Index(ids[known], name="participant_id")
    split = pd.Series(parts[known].to_numpy(), index=index, name="split", dtype=str).sort_index()
    check_parts(split)
    return split
