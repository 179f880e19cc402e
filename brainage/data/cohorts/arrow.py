"""Tables in Parquet and in Feather (Arrow IPC files), read by pyarrow; only the wanted columns are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from brainage.data.cohorts.rows import OpenTable, cell_text, extra
from brainage.errors import CohortError
from brainage.system.console import printable

# Rows at a time.
_BATCH = 10_000


def parquet_table(file: IO[bytes], path: Path) -> OpenTable:
    """Return an open Parquet file as a table; rows are numbered from 1."""
    pyarrow = extra("pyarrow", path, "a Parquet file")
    parquet = extra("pyarrow.parquet", path, "a Parquet file")
    content = _whole(pyarrow, path, "Parquet", lambda: parquet.ParquetFile(file))
    schema = _whole(pyarrow, path, "Parquet", lambda: content.schema_arrow)

    def batches(positions: Sequence[int]) -> Iterator[Any]:
        names = [schema.names[position] for position in positions]
        # A name is a prefix to pyarrow, so there may be more columns than these.
        yield from content.iter_batches(batch_size=_BATCH, columns=names)

    header = _whole(pyarrow, path, "Parquet", lambda: _names(schema))
    return OpenTable(header, _rows(pyarrow, schema, batches, path, "Parquet"))


def feather_table(file: IO[bytes], path: Path) -> OpenTable:
    """Return an open Feather file as a table; rows are numbered from 1."""
    pyarrow = extra("pyarrow", path, "a Feather file")
    ipc = extra("pyarrow.ipc", path, "a Feather file")
    schema = _whole(pyarrow, path, "Feather", lambda: ipc.open_file(file).schema)

    def batches(positions: Sequence[int]) -> Iterator[Any]:
        content = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=sorted(positions)))
        for number in range(content.num_record_batches):
            yield content.get_batch(number)

    header = _whole(pyarrow, path, "Feather", lambda: _names(schema))
    return OpenTable(header, _rows(pyarrow, schema, batches, path, "Feather"))


def _names(schema: Any) -> list[str]:
    """Return the columns' names; the index that pandas writes without a name has none."""
    return ["" if re.fullmatch(r"__index_level_\d+__", name) else name.strip() for name in schema.names]


def _rows(
    pyarrow: Any, schema: Any, batches: Callable[[Sequence[int]], Iterator[Any]], path: Path, kind: str
) -> Callable[[Sequence[int]], Iterator[tuple[int, list[str]]]]:
    def rows(positions: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
        for position in positions:
            _check_type(pyarrow, schema.field(position), path)
        number = 0
        found = batches(positions)
        while (batch := _whole(pyarrow, path, kind, lambda: next(found, None))) is not None:
            _whole(pyarrow, path, kind, partial(batch.validate, full=True))  # offsets that lead out of its memory
            columns = [batch.column(schema.names[position]) for position in positions]
            for start in range(0, batch.num_rows, _BATCH):
                parts = _whole(pyarrow, path, kind, partial(_values, columns, start))
                for values in zip(*parts, strict=True):
                    number += 1
                    yield number, [cell_text(value) for value in values]

    return rows


def _values(columns: Sequence[Any], start: int) -> list[list[Any]]:
    return [column.slice(start, _BATCH).to_pylist() for column in columns]


def _check_type(pyarrow: Any, field: Any, path: Path) -> None:
    """Raise CohortError unless a column has one value a row that can be written as text."""
    types, kind = pyarrow.types, field.type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    known = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean, types.is_integer,
             types.is_floating, types.is_decimal, types.is_temporal, types.is_null)  # fmt: skip
    if not any(is_kind(kind) for is_kind in known):
        raise CohortError(
            f"`{path}`, column `{printable(field.name)}`: values must be numbers, text or dates, but got {kind}. "
            "Convert the column, or remove it."
        )


def _whole(pyarrow: Any, path: Path, kind: str, read: Callable[[], Any]) -> Any:
    """Return what a function reads; raise CohortError if the file is damaged."""
    try:
        return read()
    except CohortError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError):  # the message may quote the file
        raise CohortError(f"`{path}` is not a whole {kind} file. Copy it again.") from None
