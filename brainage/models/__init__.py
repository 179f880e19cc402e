"""Networks and baselines, one a file; the file's name is the config's name. Importing this package imports no torch.

A network is the only ``nn.Module`` class of a file here, a baseline the only class of a file in ``baselines/``. Layers
that networks share are in ``layers``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brainage.config.code import own_class, own_classes
from brainage.errors import BrainageError, ConfigError, nearest
from brainage.models import baselines

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from brainage.models.baselines.base import Baseline, SharedBaseline


def _modules(path: list[str]) -> set[str]:
    others = {"baselines", "channels_last", "features", "geometry", "layers", "base", "ridge"}
    return {module.name for module in pkgutil.iter_modules(path)} - others


_NETWORKS, _BASELINES = _modules(__path__), _modules(baselines.__path__)


def names() -> list[str]:
    """Return the names of all networks and baselines, the user's own included."""
    own = own_classes(lambda kind: _is_network_class(kind) or _is_baseline_class(kind))
    return sorted({*_NETWORKS, *_BASELINES, *own})


def is_baseline(name: str) -> bool:
    """Return whether a model is a baseline, which is fitted without epochs."""
    return name in _BASELINES or (name not in _NETWORKS and name in own_classes(_is_baseline_class))


def _is_network_class(kind: type) -> bool:
    """Return whether a class is an ``nn.Module``, without importing torch."""
    return any((base.__module__, base.__name__) == ("torch.nn.modules.module", "Module") for base in kind.__mro__)


def _is_baseline_class(kind: type) -> bool:
    methods = ("features", "fit", "predict", "arrays")
    return all(hasattr(kind, method) for method in methods) and not _is_network_class(kind)


def build_baseline(name: str, arguments: dict[str, Any], harmonize: str = "none") -> Baseline:
    """Build a baseline, given its module in ``baselines/`` or its name in the user's own code; see `build`.

    With `harmonize`, its features are harmonised between sites.
    """
    built: Baseline = _built(_baseline_class(name), arguments)
    if harmonize != "none":
        chosen = getattr(built, "harmonize", None)
        if chosen is None:
            raise ConfigError(
                f"`harmonize={harmonize}` is for baselines on features of series, but got `model={name}`. Use "
                "harmonize=none, or a ridge such as model=ridge_features."
            )
        chosen(harmonize)
    return built


def restored(name: str, arguments: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> SharedBaseline:
    """Build a baseline, for which `is_shared` is true, with what it fitted in its run; raise as its ``restore``."""
    built: SharedBaseline = _built(_baseline_class(name), arguments)
    built.restore(arrays)
    return built


def is_shared(name: str) -> bool:
    """Return whether a model can be used without its run: networks, and baselines with a method ``restore``."""
    return not is_baseline(name) or hasattr(_baseline_class(name), "restore")


def _baseline_class(name: str) -> type:
    return own_class("model.name", name, _is_baseline_class) or _packaged(f"{baselines.__name__}.{name}", object)


def build(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Build a network.

    Parameters
    ----------
    name : str
        Its module in this package, or its name in the user's own code.
    arguments : dict
        Keyword arguments of its constructor.

    Returns
    -------
    nn.Module
        Initialised from torch's global generator: seed that first.

    Raises
    ------
    ConfigError
        There is no such network, or it does not take these arguments.
    """
    if name not in names():
        raise ConfigError(f"`model.name` got {name!r}. {nearest(name, names())} Load your own with code=FILE.")
    from torch import nn

    found = own_class("model.name", name, _is_network_class) or _packaged(f"{__name__}.{name}", nn.Module)
    network: nn.Module = _built(found, arguments)
    return network


def _packaged(module_name: str, kind: type) -> type:
    """Return the one class of its kind that a module of this package defines."""
    items = vars(importlib.import_module(module_name)).values()
    [found] = [x for x in items if isinstance(x, type) and issubclass(x, kind) and x.__module__ == module_name]
    return found


def _built(kind: type, arguments: dict[str, Any]) -> Any:
    try:
        return kind(**arguments)
    except BrainageError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"`model`: {kind.__name__} cannot be built: {reason}. Compare its config.") from error
