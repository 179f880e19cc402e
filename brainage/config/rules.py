"""Rules of config values, and the message of a broken rule."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ArgsKwargs

from brainage.errors import ConfigError, nearest

T = TypeVar("T")


def expanded(path: str) -> str:
    """Return a path with ``~`` as the home folder; any other text as it is."""
    return os.path.expanduser(path)  # noqa: PTH111 (Path changes a text like sqlite:///FILE)


Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Permutations = Annotated[int, Field(ge=0, le=1_000_000)]
# A share that leaves something on both sides.
Share = Annotated[float, Field(gt=0, lt=1)]
# A file or folder; ~ is the home folder.
PathText = Annotated[str, AfterValidator(expanded)]
Dropout = Annotated[float, Field(ge=0, lt=1, description="0 switches it off.")]


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


def choice(*choices: str) -> AfterValidator:
    """Return the rule `OneOf` for an annotation."""
    return AfterValidator(OneOf(choices))


def checked(group: str = "") -> Callable[[type[T]], type[T]]:
    """Return a decorator of dataclasses: a value that breaks its annotation's rule is a ConfigError.

    Parameters
    ----------
    group : str
        Where the class's values are in a config, for messages.
    """

    def decorate(cls: type[T]) -> type[T]:
        cls.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
        # Built at the first use: composing a config needs no rules.
        validator = cache(lambda: TypeAdapter(cls).validator)

        def init(self: Any, *arguments: Any, **values: Any) -> None:
            try:
                validator().validate_python(ArgsKwargs(arguments, values), self_instance=self)
            except ValidationError as error:
                raise _config_error(error, cls, group) from None

        cls.__init__ = init  # type: ignore[method-assign]
        return cls

    return decorate


def _config_error(error: ValidationError, cls: type, group: str) -> ConfigError:
    """Return the first broken rule as a message; pydantic's own text would repeat values that may be ids."""
    found = error.errors(include_url=False)[0]
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
    fields = [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, FieldInfo)]
    limits = {name: getattr(limit, name) for field in fields for limit in field.metadata
              for name in ("ge", "gt", "le", "lt") if hasattr(limit, name)}  # fmt: skip
    step = next((field.description for field in fields if field.description), "")
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
BatchSize = Annotated[int | str, AfterValidator(_batch_size)]
