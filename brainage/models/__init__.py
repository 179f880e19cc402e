"""The networks: one a file, each the only ``nn.Module`` class of its file, which carries the config's name.

Importing this package does not import torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from brainage.errors import ConfigError, nearest

if TYPE_CHECKING:
    from torch import nn


def names() -> list[str]:
    """Return the names of the networks that exist."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "geometry")


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Make a network.

    Parameters
    ----------
    name : str
        Its module in this package.
    arguments : dict
        Keyword arguments of its constructor.

    Returns
    -------
    nn.Module
        Freshly initialised, from torch's global generator: seed that first.

    Raises
    ------
    ConfigError
        There is no such network, or it does not take these arguments.
    """
    if name not in names():
        raise ConfigError(f"`model.name` got {name!r}. {nearest(name, names())}")
    from torch import nn

    module = importlib.import_module(f"{__name__}.{name}")
    classes = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, nn.Module) and item.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ConfigError(
            f"`model.name`: a network's module must hold one nn.Module class, but `{name}` holds {len(classes)}."
        )
    try:
        return classes[0](**arguments)
    except TypeError as error:
        raise ConfigError(f"`model`: {classes[0].__name__} cannot be made: {error}. Compare its config.") from error
