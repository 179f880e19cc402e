"""Configs as dotted keys, and values as Hydra overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def leaves(config: Any, prefix: str = "") -> dict[str, Any]:
    """Return the values of a nested config by dotted key; an empty mapping is a value."""
    if not isinstance(config, dict) or not config:
        return {prefix.rstrip("."): config}
    return {key: value for name, inner in config.items() for key, value in leaves(inner, f"{prefix}{name}.").items()}


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """Return values by dotted key as overrides, quoted where Hydra's grammar needs it."""
    return [f"{key}={quoted(value)}" for key, value in values.items()]


def quoted(value: Any) -> str:
    """Return a value as text for Hydra's grammar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if re.fullmatch(r"[A-Za-z_/][\w./-]*", text) and text.casefold() not in ("true", "false", "null", "nan", "inf"):
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return f"'{escaped}'"
