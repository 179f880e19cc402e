"""Which channels a network gets, by name or number: ``modality.channels``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brainage.config.again import key_of
from brainage.config.rules import expanded
from brainage.errors import ConfigError, MissingPathError
from brainage.system.files import open_file

ALL = "all"
# Bytes of a file with names.
_LIMIT = 10 * 2**20


def count_channels(components: str, good: Sequence[int] | None, dimension: int, *, _parent_: Any) -> int:
    """Return how many channels a network gets; ``modality.n_channels`` is this."""
    channels = _parent_.get("channels")
    if channels is None:
        return len(good or ()) if components == "good" else dimension
    return dimension if isinstance(channels, str) else len(channels)


def with_listed_channels(config: DictConfig) -> None:
    """Replace a file that ``modality.channels`` names by its lines, so that the config needs no file later.

    Raises a MissingPathError or ConfigError if there is no such file, or it is no list.
    """
    given = OmegaConf.select(config, "modality.channels")
    if isinstance(given, str) and given != ALL:
        config.modality.channels = read_channels(Path(expanded(given)))


def read_channels(path: Path) -> list[int | str]:
    """Return the names and numbers in a file, one a line; a number in double quotes is a name."""
    try:
        with open_file(path, limit=_LIMIT, follow=True, encoding="utf-8-sig") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise MissingPathError(
            f"`modality.channels={path}` must be a list ([1,2,LH_Vis_1]), `all`, or a file, but that file cannot be "
            f"read: {error.strerror or error}. Name a text file with one name or number a line."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"`modality.channels={path}` must be text in UTF-8, one name or number a line, but is not. Save it so."
        ) from None
    return [int(line) if line.isdecimal() else line.strip('"') for line in lines if line]


def refuse_both(words: Sequence[str]) -> None:
    """Raise a ConfigError if a command line chooses channels in both ways."""
    given = {key_of(word): word for word in words if not word.endswith("=null")}
    if "modality.channels" in given and "modality.components" in given:
        raise ConfigError(
            f"`{given['modality.channels']}` and `{given['modality.components']}` must not both be given: each chooses "
            "the channels. Leave out one of them."
        )
