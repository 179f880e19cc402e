"""Configs as dotted keys, and values as Hydra overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.errors import HydraException

from brainage.config.rules import expanded

_GROUPS = frozenset(
    ("modality", "cohort", "split", "model", "optimizer", "scheduler", "trainer", "logger", "recipe")
    + ("sweep", "experiment")
)
_PATHS = frozenset(
    ("cohort.root", "cohort.phenotypes", "cohort.exclude_ids", "split.file", "store.root", "code")
    + ("resume", "run", "runs", "bundle", "predictions", "hydra.run.dir", "hydra.sweep.dir")
)
# Texts in which a comma or a bracket never separates values.
_QUERIES = frozenset(("cohort.include", "cohort.pattern", "cohort.member"))
# Texts in which a comma separates values that are no jobs.
_LISTS = frozenset(("hydra.sweeper.over", "hydra.sweeper.start_from"))
# Words that are no text unless they are quoted.
_NO_TEXTS = ("true", "false", "null", "nan", "inf")
# Words after which a comma may separate the values of several jobs.
_MULTIRUN = re.compile(r"-m|--multirun|hydra\.mode=.*|experiment=.*")


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
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if re.fullmatch(r"[A-Za-z_/][\w./-]*", text, re.ASCII) and text.casefold() not in _NO_TEXTS:
        return text
    # A backslash is doubled before a quote only.
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"


def quote_words(words: Sequence[str]) -> list[str]:
    """Return the command line with the quotes that Hydra's grammar needs, and with ``~`` as the home folder.

    A shell removes the quotes of ``cohort.include="age < 70"``, and Hydra then cannot parse the rest, nor
    ``cohort.root=~/data``, ``müller`` or ``a[1]``: a value that it cannot parse is quoted. It would also read
    ``hydra.run.dir=2024_01_15`` as a number, and answer ``model=null`` with a traceback.
    """
    several = any(_MULTIRUN.fullmatch(word) for word in words)
    return [_quoted_word(word, several) if "=" in word and not word.startswith("-") else word for word in words]


def _quoted_word(word: str, several: bool) -> str:
    key, _, given = word.partition("=")
    name = key.lstrip("+")
    if name in _LISTS and given[:1] not in ("'", '"', "["):
        return f"{key}={quoted(None if given == 'null' else given)}"
    try:
        value = OverridesParser.create().parse_override(word).value()
    except HydraException:
        again = f"{key}={quoted(given) if name in _QUERIES else _quoted_parts(given, several)}"
        return again if _parses(again) else word
    if name in _PATHS:
        return _path(word, value, several)
    is_choice = value is None or isinstance(value, int | float)
    return f"{key}='{given}'" if name in _GROUPS and is_choice else word


def _path(word: str, value: Any, several: bool) -> str:
    """Return the override of a path that Hydra can parse, but perhaps as something else."""
    key, _, given = word.partition("=")
    if isinstance(value, int | float) or (isinstance(value, ChoiceSweep) and value.simple_form and not several):
        return f"{key}={_quoted_path(given)}"
    text = value.text if isinstance(value, QuotedString) else value
    return f"{key}={_quoted_path(text)}" if isinstance(text, str) and text.startswith("~") else word


def _quoted_path(path: str) -> str:
    """Return a path for Hydra's grammar, always as text, with ``~`` as the home folder."""
    return quoted(expanded(path))


def _quoted_parts(given: str, sweeps: bool) -> str:
    """Quote a value that Hydra cannot parse, or those elements of a list or a sweep that it cannot."""
    if choices := re.fullmatch(r"choice\((.+)\)", given):  # Hydra's function takes no null, its A,B does
        return _quoted_parts(choices[1], True)
    is_call = re.match(r"\w+(?=\()", given)
    if is_call and is_call[0] in OverridesParser.create().functions.functions:
        return given  # a mistake in a range() or choice()
    is_list = given.startswith("[") and given.endswith("]")
    if is_list or sweeps:
        if "'" in given or '"' in given:
            return given  # the user quotes
        parts = (given[1:-1] if is_list else given).split(",")
        joined = ",".join(part if _parses(f"key={part}") else _quoted_path(part.strip()) for part in parts)
        return f"[{joined}]" if is_list else joined
    return _quoted_path(given)


def _parses(word: str) -> bool:
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True
