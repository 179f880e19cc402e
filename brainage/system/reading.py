"""Reading files of folders that may come from strangers: bounded in size and depth, and no links or pipes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import yaml
from omegaconf._utils import get_yaml_loader  # numbers as OmegaConf reads them, and no repeated keys

from brainage.errors import EvaluationError
from brainage.system.files import open_file

if TYPE_CHECKING:
    import pandas as pd

# Bytes of YAML and JSON, and of tables that runs write: hundreds of times what they have.
_TEXT, _TABLE = 2**20, 100 * 2**20
# Values of a YAML document, counted as often as its aliases repeat them, and levels of YAML and JSON.
_VALUES, _LEVELS = 20_000, 50
_TOO_DEEP = f"it has more than {_LEVELS} levels, or refers to itself"


def read_text(path: Path, *, follow: bool = False) -> str:
    """Read a text; raise an `OSError` if it is a link, no file, or too long, and a `ValueError` if not UTF-8."""
    with open_file(path, limit=_TEXT, follow=follow, encoding="utf-8") as file:
        return str(file.read())


def read_json(path: Path, *, follow: bool = False) -> Any:
    """Read JSON; raise as `read_text`, and a `ValueError` if it is none, or nested too deeply."""
    try:
        value = json.loads(read_text(path, follow=follow))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(_LEVELS):
        level = [part for item in level for part in _parts(item)]
    if level:
        raise ValueError(_TOO_DEEP)
    return value


def _parts(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def read_yaml(path: Path, *, follow: bool = False) -> Any:
    """Read YAML as plain values; raise as `read_json`, and a `YAMLError`."""
    return yaml_values(read_text(path, follow=follow))


def yaml_values(text: str) -> Any:
    """Return the plain values of YAML; raise a `ValueError` if aliases make them too many, or too deep."""
    loader = get_yaml_loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, 1)
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    finally:
        loader.dispose()


def _count(node: yaml.Node, known: dict[int, int], level: int) -> int:
    """Return the number of values of a node, with what aliases repeat; raise a `ValueError` if it is too large."""
    if level > _LEVELS:
        raise ValueError(_TOO_DEEP)
    if id(node) not in known:
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        parts = [] if isinstance(node, yaml.ScalarNode) else parts
        known[id(node)] = 1 + sum(_count(part, known, level + 1) for part in parts)
    if known[id(node)] > _VALUES:
        raise ValueError(f"it has more than {_VALUES:,} values")
    return known[id(node)]


@contextmanager
def open_table(path: Path, mode: str = "r", **text: Any) -> Iterator[IO[Any]]:
    """Open a table that a run has written; raise an `EvaluationError` if it, or what is done with it, fails."""
    try:
        with open_file(path, mode, limit=_TABLE, **text) as file:
            yield file
    except (OSError, ValueError) as error:
        raise EvaluationError(f"`{path}` cannot be read: {reason_of(error)}. Restore it.") from None


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table that a run has written; raise as `open_table`."""
    import pandas as pd

    with open_table(path, "rb") as file:
        table: pd.DataFrame = pd.read_csv(file, **options)
        return table


def reason_of(error: BaseException) -> str:
    """Return in one line why a file could not be read."""
    text = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return " ".join(text.splitlines()[0].split()).rstrip(".") if text.strip() else type(error).__name__
