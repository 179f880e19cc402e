"""The networks and the baselines: one a file, which carries the config's name.

A network is the only ``nn.Module`` class of its file; a baseline is the only class of one that `ESTIMATORS` names.

Importing this package does not import torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from brainage.config.code import own_class, own_classes
from brainage.errors import ConfigError, nearest

if TYPE_CHECKING:
    from torch import nn

    from brainage.models.baselines.base import Estimator


# Those that are fitted at once, without epochs.
ESTIMATORS = ("mean_age", "ridge_connectivity", "ridge_motion")

# Modules that hold no model of their own.
_HELPERS = ("baselines", "geometry")


def names() -> list[str]:
    """Return the names of the networks and baselines that exist, and of networks in the user's own code."""
    networks = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in _HELPERS]
    return sorted({*networks, *ESTIMATORS, *own_classes(_is_network)})


def _is_network(kind: type) -> bool:
    """Return whether a class is an ``nn.Module``, without importing torch."""
    return any((base.__module__, base.__name__) == ("torch.nn.modules.module", "Module") for base in kind.__mro__)


def make_estimator(name: str, arguments: dict[str, Any]) -> Estimator:
    """Make a baseline.

    Parameters
    ----------
    name : str
        One of `ESTIMATORS`.
    arguments : dict
        Keyword arguments of its constructor.

    Raises
    ------
    ConfigError
        It does not take these arguments.
    """
    made: Estimator = _made(name, object, arguments)
    return made


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
        raise ConfigError(f"`model.name` got {name!r}. {nearest(name, names())} Load your own with code=FILE.")
    from torch import nn

    network: nn.Module = _made(name, nn.Module, arguments)
    return network


def _made(name: str, kind: type, arguments: dict[str, Any]) -> Any:
    """Make the user's own network of this name, or else the one class of its kind that a model's module defines."""
    made = own_class("model.name", name, _is_network) or _packaged(name, kind)
    try:
        return made(**arguments)
    except TypeError as error:
        raise ConfigError(f"`model`: {made.__name__} cannot be made: {error}. Compare its config.") from error


def _packaged(name: str, kind: type) -> type:
    folder = f"{__name__}.baselines" if name in ESTIMATORS else __name__
    module = importlib.import_module(f"{folder}.{name}")
    classes = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, kind) and item.__module__ == module.__name__
    ]
    if len(classes) != 1:
        what = "class" if kind is object else "nn.Module class"
        raise ConfigError(
            f"`model.name`: a model's module must hold one {what}, but `{name}` holds {len(classes)}. Move the others "
            "elsewhere."
        )
    return classes[0]
