"""Rules that a config's values keep, each with its message."""

from __future__ import annotations

import math

from brainage.errors import ConfigError, nearest


def require(holds: bool, key: str, rule: str, value: object, hint: str = "") -> None:
    """Raise a ConfigError unless the rule holds."""
    if not holds:
        raise ConfigError(f"`{key}` must be {rule}, but got {value!r}. {hint or f'Change it with {key}=...'}".rstrip())


def one_of(key: str, value: str, choices: tuple[str, ...], hint: str = "") -> None:
    """Refuse a value that is no choice, with the nearest one."""
    if value not in choices:
        raise ConfigError(f"`{key}` got {value!r}. {nearest(str(value), choices)} {hint}".rstrip())


def at_least(key: str, value: int, least: int) -> None:
    """Refuse a smaller number."""
    require(value >= least, key, f"{least} or more", value)


def within(key: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside."""
    require(low <= value <= high, key, f"from {low} to {high}", value)


def positive(key: str, value: object) -> None:
    """Refuse what is no number above 0."""
    require(is_number(value) and value > 0, key, "a number above 0", value)  # type: ignore[operator]


def is_number(value: object) -> bool:
    """Tell whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
