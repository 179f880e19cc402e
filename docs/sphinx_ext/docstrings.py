"""Parameters in docstrings: ``Parameters`` of numpydoc, or ``Args`` as torch, Lightning and Optuna have them."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib import import_module
from typing import Any

from numpydoc.docscrape import NumpyDocString

from brainage.config import commands, schema

_QUOTED = re.compile(r"`([\w.]+)`")
_ENTRY = re.compile(r"^ {4}(\w+)(?: *\(.*?\))?: *(.*(?:\n(?: {5,}.*)?)*)", flags=re.MULTILINE)


def described(kind: type, name: str) -> tuple[str, str]:
    """Return the type and the description of a parameter; empty if there is none.

    "See `X`." as a description, or `X` in the first line of a class, leads to the parameter of that name of class X.
    """
    for parameters in map(_parameters, kind.__mro__):
        if name in parameters:
            type_, text = parameters[name]
            return (text.startswith("See `") and _described_by(_classes(text), name)) or (type_, text)
    summaries = [(inspect.getdoc(cls) or "").partition("\n\n")[0] for cls in kind.__mro__]
    others = [other for summary in summaries for other in _classes(summary) if other not in kind.__mro__]
    return _described_by(others, name) or ("", "")


def _described_by(classes: list[type], name: str) -> tuple[str, str] | None:
    """Return what the first of some classes that describes a parameter says of it."""
    return next((found for found in (described(cls, name) for cls in classes) if found[1]), None)


def documents(cls: type, name: str) -> bool:
    """Return whether a class's own docstring describes a parameter."""
    return name in _parameters(cls)


def _classes(text: str) -> list[type]:
    """Return the classes that a text names in backticks, by their path, or by their name if they are schemas."""
    found = [_resolved(name) for name in _QUOTED.findall(text)]
    return [one for one in found if isinstance(one, type)]


def _resolved(name: str) -> Any:
    module, _, last = name.rpartition(".")
    if not module:
        return getattr(commands, name, getattr(schema, name, None))
    return getattr(import_module(module), last, None)


@cache
def _parameters(cls: type) -> dict[str, tuple[str, str]]:
    """Return type and description of each parameter that a class's docstring, or its constructor's, describes."""
    texts = [cls.__dict__.get("__doc__"), getattr(cls.__dict__.get("__init__"), "__doc__", None)]
    found: dict[str, tuple[str, str]] = {}
    for text in filter(None, texts):
        plain = inspect.cleandoc(text)
        found |= _of_numpydoc(plain) if "\n----------\n" in plain else _of_args(plain)
    return found


def _of_numpydoc(text: str) -> dict[str, tuple[str, str]]:
    """Return the entries of ``Parameters``; several names may share one."""
    return {
        name.strip("*"): (entry.type, _plain(" ".join(entry.desc)))
        for entry in NumpyDocString(text)["Parameters"]
        for name in (entry.name or entry.type).split(", ")
    }


def _of_args(text: str) -> dict[str, tuple[str, str]]:
    """Return the entries of ``Args``, the first sentence of each."""
    section = re.search(r"^Args:\n((?: {4}.*\n|\n)+)", f"{text}\n", flags=re.MULTILINE)
    entries = _ENTRY.findall(section[1]) if section else ()
    return {
        name: ("", re.split(r"(?<=[a-z)`\d])\. |\n\n", _plain(text))[0].rstrip(".") + ".") for name, text in entries
    }


def _plain(text: str) -> str:
    """Return reStructuredText as Markdown, on one line."""
    text = re.sub(r":\w+:`~?([\w.]*\.)?(\w+)`", r"`\2`", " ".join(text.split()))
    text = re.sub(r" \[\d\]_", "", text)
    return re.sub(r"`([^`]+) <(\S+)>`_+", r"[\1](\2)", text).replace("``", "`")
