"""Names of a network's channels, in ``channels.csv`` of a run's folder; there is none where files have no names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brainage.data.participants import Participants
from brainage.errors import EvaluationError
from brainage.system.console import printable
from brainage.system.reading import read_csv

CHANNELS = "channels.csv"

# Names that a page or a card shows.
_N_SHOWN = 3


def channel_table(participants: Participants) -> pd.DataFrame | None:
    """Return ``number, name`` of the channels in the network's order; numbers are those in the files, from 1."""
    if (names := participants.channel_names) is None:
        return None
    return pd.DataFrame({"number": [channel + 1 for channel in participants.channels], "name": names})


def read_channel_names(folder: Path, n_channels: int | None = None) -> tuple[str, ...] | None:
    """Return the names in a run's ``channels.csv``; None without one.

    Raises an EvaluationError if it is damaged, or does not have `n_channels`.
    """
    path = folder / CHANNELS
    if not path.exists():
        return None
    table = read_csv(path, dtype=str, keep_default_na=False)
    names = checked_names(table["name"].tolist()) if "name" in table else None
    if names is None or n_channels not in (None, len(names)):
        raise EvaluationError(f"`{path}` must have a column `name` with the names of all channels. Restore it.")
    return names


def checked_names(plain: object) -> tuple[str, ...] | None:
    """Return names of channels, which are not empty; None if plain values are anything else."""
    if not isinstance(plain, list) or not plain or not all(isinstance(name, str) and name for name in plain):
        return None
    return tuple(plain)


def shown_names(names: Sequence[str]) -> str:
    """Return the first and the last names as words."""
    shown = [printable(name) for name in names]
    if len(shown) <= 2 * _N_SHOWN:
        return ", ".join(shown)
    return f"{', '.join(shown[:_N_SHOWN])}, ..., {shown[-1]}"
