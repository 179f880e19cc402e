"""The keys of a config with type, rule and description, as its schema has them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from brainage.config.groups.trainer import TRAINER_LIMITS
from brainage.config.rules import OneOf, bounds_of
from docs.sphinx_ext.docstrings import described


@dataclass(frozen=True)
class Key:
    """One key.

    Parameters
    ----------
    name : str
        With its group, such as ``cohort.root``.
    kind : str
        Its type, in Markdown.
    rule : str
        Which values of this type are possible; empty if all are.
    text : str
        Its description, in Markdown.
    """

    name: str
    kind: str
    rule: str
    text: str


def keys_of(schema: Any, prefix: str = "") -> list[Key]:
    """Return the keys of a schema, those of other schemas in it without these schemas themselves."""
    return list(_keys(schema, prefix))


def _keys(schema: Any, prefix: str) -> Iterator[Key]:
    hints = get_type_hints(schema, include_extras=True)
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _keys(hint, f"{prefix}{field.name}.")
        else:
            yield key_of(schema, field.name, hint, f"{prefix}{field.name}")


def key_of(schema: type, name: str, hint: Any, full_name: str) -> Key:
    """Return one key of a schema."""
    type_, text = described(schema, name)
    for limited, allowed, why in TRAINER_LIMITS:
        if full_name == f"trainer.{limited}":
            text += f" It must be left at {_code(allowed[0])}. {why}"
    return Key(full_name, _kind(hint, type_), bounds_of(hint)[0], as_yaml(text))


def choices_of(hint: Any) -> tuple[str, ...]:
    """Return the choices that an annotation's rule has."""
    functions = [getattr(item, "function", None) for item in getattr(hint, "__metadata__", ())]
    return next((function.choices for function in functions if isinstance(function, OneOf)), ())


def types_of(hint: Any) -> list[Any]:
    """Return the types of a union, without their rules; of another annotation, itself."""
    if get_origin(hint) is Annotated:
        return types_of(get_args(hint)[0])
    if get_origin(hint) in (UnionType, Union):
        return [type_ for one in get_args(hint) for type_ in types_of(one)]
    return [hint]


def _kind(hint: Any, documented: str) -> str:
    """Return the type as Markdown: choices, the type that the docstring has, or that of the annotation."""
    choices, types = choices_of(hint), types_of(hint)
    if choices:
        listed = [_code(one) for one in (*choices, *([None] if NoneType in types else []))]
        return " or ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))
    if documented:
        plain = documented.partition(", default=")[0].translate({ord("{"): None, ord("}"): None})
        return as_yaml(re.sub(r'"(\w+)"', r"`\1`", plain))
    return " or ".join("`null`" if one is NoneType else str(one.__name__) for one in types if one is not Any)


def as_yaml(text: str) -> str:
    """Return a text with Python's None, True and False as a config has them."""
    text = re.sub(r"\bNone\b", "`null`", text).replace("``null``", "`null`")
    return re.sub(r"`(True|False)`", lambda found: found[0].lower(), text)


def _code(value: object) -> str:
    return f"`{yaml_text(value)}`"


def yaml_text(value: object) -> str:
    """Return a value as on the command line."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value) or '""'
