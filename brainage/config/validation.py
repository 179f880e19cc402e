"""The part of `brainage.config.rules` that needs pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs, ErrorDetails, SchemaValidator


def first_error(cls: type, instance: Any, arguments: tuple[Any, ...], values: Mapping[str, Any]) -> ErrorDetails | None:
    """Give a new instance of a dataclass its values; return the first broken rule."""
    try:
        _validator(cls).validate_python(ArgsKwargs(arguments, dict(values)), self_instance=instance)
    except ValidationError as error:
        return error.errors(include_url=False)[0]
    return None


def schema_of_field(source: Any, handler: Any, settings: Mapping[str, Any]) -> Any:
    """Return the schema of an annotation by pydantic's ``Field`` with these settings."""
    given = {name: value for name, value in settings.items() if value is not None}
    return handler.generate_schema(Annotated[source, Field(**given)])


@cache
def _validator(cls: type) -> SchemaValidator:
    return TypeAdapter(cls).validator  # type: ignore[return-value]
