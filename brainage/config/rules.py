"""Rules of config values, and the message of a broken rule."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from brainage.errors import ConfigError, nearest

T = TypeVar("T")


def expanded(path: str) -> str:
    """Return a path with ``~`` as the home folder; any other text as it is."""
    return os.path.expanduser(path)  # noqa: PTH111 (Path changes a text like sqlite:///FILE)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The rule that a number lies within bounds; None is left to the type. `description` is the next step in messages.

    pydantic, which checks it, takes a seventh of the time in which a config is composed, so it is imported when the
    first value is checked; its ``Field`` would import it here.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    strict: bool | None = None
    allow_inf_nan: bool | None = None
    description: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return the schema of pydantic's ``Field`` of these arguments."""
        return _validation().schema_of_field(source, handler, vars(self))


@dataclass(frozen=True)
class Checked:
    """The rule of a function, which returns the value or raises; called before or after the type is checked."""

    function: Callable[[Any], Any]
    when: Literal["before", "after"] = "after"

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Return the schema of pydantic's ``BeforeValidator`` or ``AfterValidator``."""
        function = {"type": "no-info", "function": self.function}
        return {"type": f"function-{self.when}", "function": function, "schema": handler(source)}


Count = Annotated[int, Bounds(ge=1)]
Seed = Annotated[int, Bounds(ge=0)]
Permutations = Annotated[int, Bounds(ge=0, le=1_000_000)]
# A share that leaves something on both sides.
Share = Annotated[float, Bounds(gt=0, lt=1)]
# A file or folder; ~ is the home folder.
PathText = Annotated[str, Checked(expanded)]
Dropout = Annotated[float, Bounds(ge=0, lt=1, description="0 switches it off.")]


class _NotAChoice(ValueError):
    """A value is none of the choices."""


@dataclass(frozen=True)
class OneOf:
    """The rule that a text is one of the choices; None is left to the type."""

    choices: tuple[str, ...]

    def __call__(self, value: str | None) -> str | None:
        """Return the value, or raise."""
        if value is not None and value not in self.choices:
            raise _NotAChoice(nearest(value, self.choices))
        return value


def choice(*choices: str) -> Checked:
    """Return the rule `OneOf` for an annotation."""
    return Checked(OneOf(choices))


def checked(group: str = "") -> Callable[[type[T]], type[T]]:
    """Return a decorator of dataclasses: a value that breaks its annotation's rule is a ConfigError.

    Parameters
    ----------
    group : str
        Where the class's values are in a config, for messages.
    """

    def decorate(cls: type[T]) -> type[T]:
        cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
        of_defaults = cls.__init__

        def init(self: Any, *arguments: Any, **values: Any) -> None:
            if not arguments and not values:
                of_defaults(self)
            elif found := _validation().first_error(cls, self, arguments, values):
                raise _config_error(found, cls, group)

        cls.__init__ = init  # type: ignore[method-assign]
        return cls

    return decorate


def _validation() -> Any:
    from brainage.config import validation  # pydantic: composing a config needs no rules

    return validation


def _config_error(found: Mapping[str, Any], cls: type, group: str) -> ConfigError:
    """Return pydantic's error as a message of this project; its own text would repeat values that may be ids."""
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # of __post_init__
        return cause
    if not found["loc"]:
        return ConfigError(f"`{group or cls.__name__}` cannot be used: {found['msg']}.")
    name = str(found["loc"][0])
    key = ".".join(filter(None, (group, *map(str, found["loc"]))))
    bounds, step = bounds_of(get_type_hints(cls, include_extras=True).get(name))
    if isinstance(cause, _NotAChoice):
        return ConfigError(f"`{key}` got {found['input']!r}. {cause}{f' {step}' if step else ''}")
    if not bounds:
        return ConfigError(f"`{key}` cannot be used: {found['msg']}. Change it with {key}=...")
    return ConfigError(f"`{key}` must be {bounds}, but got {found['input']!r}. {step or f'Change it with {key}=...'}")


def bounds_of(hint: Any) -> tuple[str, str]:
    """Return the rule of an annotation's bounds in words, and the next step that its description gives."""
    bounds = [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Bounds)]
    limits = {name: limit for one in bounds for name in ("ge", "gt", "le", "lt")
              if (limit := getattr(one, name)) is not None}  # fmt: skip
    step = next((one.description for one in bounds if one.description), "")
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if "ge" in limits and "le" in limits:
        return f"from {low} to {high}", step
    if low is not None and high is not None:
        return f"in {'[' if 'ge' in limits else '('}{low}, {high}{']' if 'le' in limits else ')'}", step
    if low is not None:
        return f"{low} or more" if "ge" in limits else f"a number above {low}", step
    return (f"{high} or less" if "le" in limits else f"below {high}") if high is not None else "", step


def require(holds: bool, key: str, rule: str, value: object, hint: str = "") -> None:
    """Raise a ConfigError unless `holds`."""
    if not holds:
        raise ConfigError(f"`{key}` must be {rule}, but got {value!r}. {hint or f'Change it with {key}=...'}".rstrip())


def paths(key: str, value: object) -> list[str]:
    """Return the paths that a value names, with ``~`` as the home folder: one, a list, or None."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    named = [expanded(path) for path in listed if isinstance(path, str) and path]
    holds = len(named) == len(listed) and (named or value is None)
    require(bool(holds), key, "a file or a list of files", value, f"Use {key}=FILE or {key}=[FILE,FILE].")
    return named


def texts(key: str, value: object, example: str) -> dict[str, str]:
    """Return a mapping of text to text; names that are mapped to null are left out."""
    items = value.items() if isinstance(value, Mapping) else ()
    found = {str(name): str(own) for name, own in items if own is not None}
    is_plain = all(type(own) in (str, int, float) and own != "" for _, own in items if own is not None)
    rule = "a mapping of names to names"
    require(isinstance(value, Mapping) and is_plain, key, rule, value, f"Use '{key}={{{example}}}'.")
    return found


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _batch_size(value: int | str) -> int | str:
    number = int(value) if isinstance(value, int) or value.isdecimal() else 0
    require(value == AUTO or number >= 2, "batch_size", f"2 or more, or {AUTO}", value)
    return value if value == AUTO else number


AUTO = "auto"
# Participants a batch, or `AUTO`.
BatchSize = Annotated[int | str, Checked(_batch_size)]
