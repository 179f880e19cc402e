"""Users' own Python code: ``code=FILE.py`` or ``code=MODULE`` on the command line loads it, and nothing else does."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from brainage.errors import ConfigError, MissingPathError

_LOADED: list[ModuleType] = []


def load_code(value: Any, words: Iterable[str]) -> None:
    """Import what ``code=`` names.

    Parameters
    ----------
    value : str, list of str, or None
        The composed value: files, or names of importable modules.
    words : iterable of str
        The command line, which must have set it.

    Raises
    ------
    ConfigError, MissingPathError
        A config set it, or it cannot be imported.
    """
    if value is None:
        return
    if not any(word.lstrip("+").startswith("code=") for word in words):
        raise ConfigError(
            f"`code` must be given on the command line, but a config sets it to {value!r}. Remove it there, and add "
            "code=... to the command if you trust that code."
        )
    for name in [value] if isinstance(value, str) else value:
        module = _from_file(Path(name)) if str(name).endswith(".py") else _imported(str(name), str(name))
        if module not in _LOADED:
            _LOADED.append(module)


def check_code_files(words: Iterable[str]) -> None:
    """Raise unless the files that ``code=`` names on a command line exist."""
    for word in words:
        key, _, value = word.partition("=")
        for name in value.strip("[]").split(",") if key == "code" else ():
            if name.strip("'\" ").endswith(".py") and not Path(name.strip("'\" ")).is_file():
                raise MissingPathError(f"`code` must name Python files or modules, but `{name}` does not exist.")


def _from_file(path: Path) -> ModuleType:
    folder, name = str(path.resolve().parent), path.stem
    # On the path, so that other processes (which read series) find the module too; last, so that it shadows nothing.
    if folder not in sys.path:
        sys.path.append(folder)
    module = _imported(name, str(path))
    if Path(str(module.__file__)).resolve() != path.resolve():
        raise ConfigError(
            f"`code={path}` must have a name that no other module has, but `{name}` is `{module.__file__}`. Rename it."
        )
    return module


def _imported(name: str, shown: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # it may contain any mistake
        raise ConfigError(
            f"`code={shown}` cannot be imported: {type(error).__name__}: {error}. HYDRA_FULL_ERROR=1 shows where."
        ) from error


def own_classes(accept: Callable[[type], bool]) -> dict[str, list[type]]:
    """Return the classes of loaded code by the names that configs may use: the class's own, and its module's.

    Parameters
    ----------
    accept : callable
        Whether a class is of the kind that is looked for.
    """
    found: dict[str, list[type]] = {}
    for module in _LOADED:
        for item in vars(module).values():
            if isinstance(item, type) and item.__module__ == module.__name__ and accept(item):
                for name in {module.__name__.rpartition(".")[2], item.__name__}:
                    found.setdefault(name, []).append(item)
    return found


def own_class(key: str, name: str, accept: Callable[[type], bool]) -> type | None:
    """Return the one class of loaded code that a config names; None if there is none.

    Raises
    ------
    ConfigError
        Several classes have this name.
    """
    classes = own_classes(accept).get(name, [])
    if len(classes) > 1:
        names = ", ".join(sorted(item.__name__ for item in classes))
        raise ConfigError(f"`{key}={name}` must name one class, but `code` has several: {names}. Use the class's name.")
    return classes[0] if classes else None


def is_own(target: str) -> bool:
    """Return whether a ``_target_`` is defined in loaded code; what that code imports is not its own."""
    place, _, name = target.rpartition(".")
    for own in (module.__name__ for module in _LOADED):
        if f"{place}.".startswith(f"{own}."):
            with suppress(Exception):  # a submodule
                importlib.import_module(place)
            defined = getattr(getattr(sys.modules.get(place), name, None), "__module__", None)
            return f"{defined}.".startswith(f"{own}.")
    return False
