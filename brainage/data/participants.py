"""What all cohorts share: reading a table as text, what its words mean, and who takes part."""

from __future__ import annotations

import ast
import csv
import difflib
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from brainage.errors import CohortError, MissingPathError, nearest

STANDARD_COLUMNS = ("participant_id", "age", "sex", "site", "head_motion", "family_id")
"""Names that mean the same in every cohort; every other column is a phenotype."""

ROW = "table_row"
"""The column in which `usable_people` keeps each person's line number in the table, for messages."""

_MISSING = frozenset({"", "n/a", "na", "nan"})
_SEXES = {"0": 0.0, "0.0": 0.0, "female": 0.0, "f": 0.0, "1": 1.0, "1.0": 1.0, "male": 1.0, "m": 1.0}
_MAX_AGE = 120


# --- A table of text ---


def read_header(path: Path) -> list[str]:
    """Read a table's column names, and nothing else of it.

    Parameters
    ----------
    path : Path
        A table separated by tabs or commas, UTF-8, quoted or not, gzipped or not.

    Raises
    ------
    CohortError
        The file is empty or is not such a table.
    MissingPathError
        The file does not exist or cannot be read.
    """
    with _open_table(path) as (header, _):
        return header


def read_columns(path: Path, names: Iterable[str]) -> pd.DataFrame:
    """Read some columns of a table, as text.

    The csv module rather than pandas: with ``usecols`` pandas reads a line that has a value too many without a word,
    its later values under the wrong names, and its row numbers are not line numbers where lines are blank.

    Parameters
    ----------
    path : Path
        See `read_header`.
    names : iterable of str
        Columns to keep, all of them in the header.

    Returns
    -------
    DataFrame
        Text without surrounding white space; the index is the line number in the file. Blank lines are left out.

    Raises
    ------
    CohortError
        A column is there twice, a line has more or fewer values than the header, or there are no rows.
    MissingPathError
        The file does not exist or cannot be read.
    """
    names = list(dict.fromkeys(names))
    lines: list[int] = []
    values: list[list[str]] = []
    with _open_table(path) as (header, rows):
        positions = [_position(header, name, path) for name in names]
        for line, fields in rows:
            if not any(fields):
                continue
            if len(fields) != len(header):
                raise CohortError(
                    f"Row {line} of `{path}` has {len(fields)} values, but the header has {len(header)} names. Every "
                    "row must have one value a column: look for a separator too many or too few in that row."
                )
            lines.append(line)
            values.append([fields[position].strip() for position in positions])
    if not lines:
        raise CohortError(f"`{path}` has a header but no rows. The table must have one row a participant.")
    return pd.DataFrame(values, columns=names, index=lines, dtype="str")


@contextmanager
def _open_table(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """Open a table; yield its header and its rows, each with the line that it begins at."""
    try:
        with path.open("rb") as file, _text(file) as text:
            first = text.readline()
            delimiter = _delimiter(first, path)
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
            yield header, _numbered(csv.reader(text, delimiter=delimiter, strict=True), path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CohortError(f"`{path}` is not a whole gzip file. Copy it again.") from None
    except csv.Error as error:
        raise CohortError(f"The header of `{path}` cannot be parsed: {error}. Mend its quotes.") from None
    except OSError as error:
        raise MissingPathError(
            f"The table `{path}` cannot be read: {error.strerror}. Name an existing file with `cohort.phenotypes=FILE`."
        ) from None


def _text(file: BinaryIO) -> io.TextIOWrapper:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    data = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    # Among thousands of columns that nobody reads, one stray byte of another encoding must not matter.
    return io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace", newline="")


def _delimiter(header: str, path: Path) -> str:
    if not header.strip():
        raise CohortError(f"`{path}` is empty, or its first line is. The first line must hold the column names.")
    if "\0" in header or "\ufffd" in header:
        raise CohortError(f"`{path}` is not UTF-8 text. Save the table as comma or tab separated text in UTF-8.")
    for delimiter in "\t,":
        if delimiter in header:
            return delimiter
    raise CohortError(f"The header of `{path}` has neither tabs nor commas. Separate the columns by one of them.")


def _numbered(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    line = 2
    try:
        for fields in reader:
            yield line, fields
            # A quoted value may hold line breaks, so a row may be several lines.
            line = reader.line_num + 2  # type: ignore[attr-defined]
    except csv.Error as error:
        raise CohortError(
            f"Row {line} of `{path}` cannot be parsed: {error}. A quoted value must end with a quote before the next "
            "separator, and a quote inside one is doubled."
        ) from None


def _position(header: list[str], name: str, path: Path) -> int:
    if header.count(name) > 1:
        raise CohortError(
            f"`{path}` has {header.count(name)} columns `{name}`, and which of them to read is not known. Remove or "
            "rename all but one."
        )
    return header.index(name)


# --- What its words mean ---


def check_columns(asked: Iterable[str], known: Collection[str], label: str) -> None:
    """Raise a CohortError that names the nearest match unless all columns asked for are known.

    Parameters
    ----------
    asked : iterable of str
        Columns that somebody wants.
    known : collection of str
        Columns that there are.
    label : str
        What messages call the table, such as its path in backticks.

    Raises
    ------
    CohortError
        The first column that is missing.
    """
    for name in asked:
        if name not in known:
            choices = set(known)
            if "participant_id" not in choices:
                # The first line may hold values instead of names, and those are nobody's business.
                choices = {choice for choice in choices if not re.search(r"\d", choice)}
            if len(choices) > 30 or "participant_id" not in choices:  # UK Biobank tables have thousands
                choices = set(difflib.get_close_matches(name, choices, n=5))
            hint = nearest(name, choices) if choices else "No column has a similar name."
            raise CohortError(f"{label} has no column `{name}`. The first line must hold the column names. {hint}")


def participant_ids(column: pd.Series, label: str) -> pd.Series:
    """Return ids in the one form that they have everywhere: text without a ``sub-`` prefix.

    Parameters
    ----------
    column : Series
        Ids; the index is the line number in the table.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        An id is empty, or has become a rounded number such as ``1.5e+06``.
    """
    ids = column.astype("str").str.strip().map(_bare_id, na_action="ignore").astype("str")
    empty = ids.isna() | ids.str.casefold().isin(_MISSING)
    if empty.any():
        raise CohortError(
            f"{label}, column `{column.name}`: the id is empty in {_rows(column.index[empty])}. Every row must name "
            "its participant: fill the ids in or remove the rows."
        )
    rounded = ids.map(_is_rounded)
    if rounded.any():
        raise CohortError(
            f"{label}, column `{column.name}`: a spreadsheet or R has made numbers with a point or an exponent of the "
            f"ids in {_rows(column.index[rounded])}. Export the table again with the ids as text."
        )
    return ids


def ages(column: pd.Series, label: str) -> pd.Series:
    """Return ages in years; NaN where the table has none. Their range is for `usable_people` to check.

    Parameters
    ----------
    column : Series
        Numbers or text; the index is the line number in the table.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        Some text is not a number.
    """
    values, unreadable = _floats(column)
    _refuse_words(column, unreadable, label, "a number of years")
    return values


def numbers(column: pd.Series, label: str) -> pd.Series:
    """Return finite numbers; NaN where the table has none.

    Parameters
    ----------
    column : Series
        Numbers or text; the index is the line number in the table.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        Some text is not a number, or a number is infinite.
    """
    values, unreadable = _floats(column)
    _refuse_words(column, unreadable | values.isin([math.inf, -math.inf]), label, "a finite number")
    return values


def labels(column: pd.Series) -> pd.Series:
    """Return text; NaN where the table has none.

    Parameters
    ----------
    column : Series
        Sites, families and other names.
    """
    text = column.astype("str").str.strip()
    return text.mask(text.str.casefold().isin(_MISSING))


def phenotype(column: pd.Series) -> pd.Series:
    """Return numbers if all values are numbers, text otherwise; NaN where the table has none.

    Parameters
    ----------
    column : Series
        Any column.
    """
    values, unreadable = _floats(column)
    return labels(column) if unreadable.any() else values


def standard_table(columns: Mapping[str, pd.Series], label: str) -> pd.DataFrame:
    """Bring the columns that every cohort knows into the form that they have everywhere.

    Parameters
    ----------
    columns : mapping of str to Series
        Text, by the name in `STANDARD_COLUMNS`; a Series' own name is the one that the table has for it.
    label : str
        What messages call the table.

    Returns
    -------
    DataFrame
        See `CohortReader.read_table`.

    Raises
    ------
    CohortError
        A column cannot be used.
    """
    readers: dict[str, Callable[[pd.Series, str], pd.Series]] = {
        "participant_id": participant_ids,
        "age": ages,
        "sex": sex_codes,
        "head_motion": numbers,
    }
    table = {name: readers[name](column, label) for name, column in columns.items() if name in readers}
    for name in ("site", "family_id"):
        if name in columns:
            # Beside empty cells pandas writes the code 11025 as 11025.0.
            table[name] = labels(columns[name]).str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return pd.DataFrame({name: table[name] for name in STANDARD_COLUMNS if name in table})


def sex_codes(column: pd.Series, label: str) -> pd.Series:
    """Return 0 for female, 1 for male, NaN where the table has none.

    Parameters
    ----------
    column : Series
        0 and 1, as numbers or text, or Female and Male, or F and M, in any case.
    label : str
        What messages call the table.

    Raises
    ------
    CohortError
        Another value, such as a 2.
    """
    text = labels(column)
    codes = text.str.casefold().map(_SEXES).astype("float64")
    unknown = text[text.notna() & codes.isna()]
    if unknown.size:
        raise CohortError(
            f"{label}, column `{column.name}`: sex must be 0 or 1, Female or Male, or F or M (female is 0), but "
            f"{_rows(unknown.index)} {'has' if unknown.size == 1 else 'have'} {_values(unknown, 5)}. Recode the "
            "column, and leave empty what is not known."
        )
    return codes


def _bare_id(text: str) -> str:
    bare = text.strip("\"'").strip().removeprefix("sub-")
    # What a spreadsheet or pandas makes of whole numbers beside an empty cell.
    return bare[: bare.index(".")] if re.fullmatch(r"\d+\.0+", bare) else bare


def _is_rounded(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d*([eE][-+]?\d+)?|[eE]\+\d+)", text) is not None


def _floats(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the numbers and where there is text that is no number."""
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.astype("float64"), pd.Series(False, index=column.index)
    text = labels(column)
    known = {value: _float(value) for value in text.dropna().unique()}
    values = text.map(known).astype("float64")
    return values, text.notna() & values.isna()


def _float(text: str) -> float:
    try:
        return math.nan if "_" in text else float(text)  # Python reads 4_5 as 45
    except ValueError:
        return math.nan


def _refuse_words(column: pd.Series, wrong: pd.Series, label: str, rule: str) -> None:
    if wrong.any():
        raise CohortError(
            f"{label}, column `{column.name}`: {int(wrong.sum())} of {len(column)} values are not {rule}, in "
            f"{_rows(column.index[wrong])}: {_values(column[wrong], 3)}. Write a number there, or leave it empty."
        )


def _values(column: pd.Series, limit: int) -> str:
    distinct = [str(value)[:30] for value in column.drop_duplicates()]
    more = f" and {len(distinct) - limit} more" if len(distinct) > limit else ""
    return ", ".join(f"`{value}`" for value in distinct[:limit]) + more


def _rows(lines: Iterable[object], limit: int = 5) -> str:
    lines = list(lines)
    more = f" and {len(lines) - limit} more" if len(lines) > limit else ""
    return f"row{'s' if len(lines) > 1 else ''} {', '.join(str(line) for line in lines[:limit])}{more}"


# --- Who takes part ---


def usable_people(table: pd.DataFrame, *, include: str | None, label: str) -> pd.DataFrame:
    """Choose the people who take part, check them and sort them by id.

    Parameters
    ----------
    table : DataFrame
        As `CohortReader.read_table` returns it; the index is the line number in the table.
    include : str or None
        A pandas query; only rows for which it is true stay. None keeps all.
    label : str
        What messages call the table, such as its path in backticks.

    Returns
    -------
    DataFrame
        The rows that stay, those without an age among them, sorted by ``participant_id`` as text, with a new index and
        with each row's line number in the column `ROW`.

    Raises
    ------
    CohortError
        The query cannot be used or selects nobody; a participant is there twice; an age cannot be one.
    """
    people = table.assign(**{ROW: table.index})
    if include is not None:
        people = people[_selected(table, include, label)]
        if people.empty:
            raise CohortError(
                f"`cohort.include` selects none of the {len(table)} rows of {label}: `{include}`. Loosen the query."
            )
    _check_unique(people, label)
    _check_age_range(people, label)
    return people.sort_values("participant_id", kind="stable").reset_index(drop=True)


def check_ages_of_scanned(table: pd.DataFrame, scans: Collection[str]) -> None:
    """Refuse people who have a scan but no age.

    Parameters
    ----------
    table : DataFrame
        As `usable_people` returns it.
    scans : collection of str
        Ids of the participants who have a scan.

    Raises
    ------
    CohortError
        At least one of them has no age.
    """
    ageless = table[table["age"].isna() & table["participant_id"].isin(list(scans))]
    if len(ageless):
        raise CohortError(
            f"{len(ageless)} of {len(scans)} participants with a scan have no age: {_rows(ageless[ROW])} of the table. "
            'Fill the ages in, or leave these people out with `cohort.include="age == age"`.'
        )


def read_ids(path: Path) -> frozenset[str]:
    """Read a list of participants, such as those who withdrew their consent.

    Parameters
    ----------
    path : Path
        Text, one id a line; a first line ``eid`` or ``participant_id``, quotes and ``sub-`` are left out.

    Returns
    -------
    frozenset of str
        Ids in the form of `participant_ids`.

    Raises
    ------
    CohortError
        A line holds more than one word, or the file is not text.
    MissingPathError
        The file does not exist or cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise MissingPathError(
            f"The list of ids `{path}` cannot be read: {error.strerror}. Name an existing file with one id a line."
        ) from None
    except UnicodeDecodeError:
        raise CohortError(f"The list of ids `{path}` is not UTF-8 text. Save it as text with one id a line.") from None
    ids = [(number, _bare_id(line.strip())) for number, line in enumerate(lines, start=1)]
    ids = [(number, text) for number, text in ids if text]
    if ids and ids[0][1].casefold() in {"eid", "f.eid", "participant_id"}:
        del ids[0]
    for number, text in ids:
        if len(re.split(r"[\s,;]", text)) > 1 or _is_rounded(text):
            raise CohortError(
                f"Line {number} of `{path}` is not one id. The file must hold one id a line, without other columns, "
                "and no numbers with a point or an exponent."
            )
    return frozenset(text for _, text in ids)


def _check_unique(people: pd.DataFrame, label: str) -> None:
    repeated = people["participant_id"].duplicated(keep=False)
    if repeated.any():
        count = people.loc[repeated, "participant_id"].nunique()
        raise CohortError(
            f"{label}: {count} participant{'s are' if count > 1 else ' is'} in the table more than once, in "
            f"{_rows(people.loc[repeated, ROW])}. Each must have one row: remove the others, or choose one of a "
            "person's rows with `cohort.include`."
        )


def _check_age_range(people: pd.DataFrame, label: str) -> None:
    age = people["age"]
    infinite = age.isin([math.inf, -math.inf])
    kinds = {"infinite": infinite, "negative": (age < 0) & ~infinite, f"over {_MAX_AGE}": (age > _MAX_AGE) & ~infinite}
    found = [
        f"{int(wrong.sum())} {kind} ({_rows(people.loc[wrong, ROW])})" for kind, wrong in kinds.items() if wrong.any()
    ]
    if found:
        raise CohortError(
            f"{label}: ages must be 0 to {_MAX_AGE} years, but there are {', '.join(found)}. Correct them, or remove "
            f'them with `cohort.include="0 <= age <= {_MAX_AGE}"`.'
        )


# --- The query ---

_PLAIN_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.UAdd),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Name, ast.Load, ast.List, ast.Tuple),
)
_METHODS = frozenset({"notna", "isna", "isin", "between"})
_TOKENS = re.compile(r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`(?P<name>[^`]*)`|(?P<operator>[&|])""")


def columns_of_query(query: str) -> set[str]:
    """Return the columns that a query names, so that a reader reads only what is needed.

    Parameters
    ----------
    query : str
        A pandas query; names that are not plain words stand in backticks.

    Raises
    ------
    CohortError
        The query cannot be parsed, or holds more than comparisons of columns.
    """
    tree, quoted = _parsed_query(query)
    return {quoted.get(node.id, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _parsed_query(query: str) -> tuple[ast.Expression, dict[str, str]]:
    """Return the query as a tree that holds nothing but what is allowed, and what its backticked names stand for."""
    quoted: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        if match["name"] is not None:
            identifier = f"BACKTICKED_{len(quoted)}"
            quoted[identifier] = match["name"]
            return f" {identifier} "
        # In a pandas query & and | bind as loosely as the words do.
        return {"&": " and ", "|": " or "}.get(match["operator"], match[0])

    try:
        tree = ast.parse(" ".join(_TOKENS.sub(plain, query).split("\n")).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _refuse_query(query, "it cannot be parsed")
    _check_node(tree, query)
    return tree, quoted


def _check_node(node: ast.AST, query: str) -> None:
    if isinstance(node, ast.Call):
        method = node.func
        if not (isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name) and method.attr in _METHODS):
            _refuse_query(query, "it calls a function or another method")
        children: list[ast.AST] = [method.value, *node.args, *(keyword.value for keyword in node.keywords)]
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, bool | int | float | str):
            _refuse_query(query, f"it holds the constant {node.value!r}")
        children = []
    elif isinstance(node, _PLAIN_NODES):
        children = list(ast.iter_child_nodes(node))
    else:
        _refuse_query(query, f"it holds something else ({type(node).__name__})")
    for child in children:
        _check_node(child, query)


def _selected(table: pd.DataFrame, query: str, label: str) -> pd.Series:
    """Return for each row whether the query is true."""
    tree, quoted = _parsed_query(query)
    names = columns_of_query(query)
    check_columns(sorted(names), [str(name) for name in table.columns], f"`cohort.include` is `{query}`, but {label}")
    # Backticked columns get the names that stand for them, so pandas sees exactly the tree that was checked.
    frame = table[sorted(names)].assign(**{identifier: table[name] for identifier, name in quoted.items()})
    _check_kinds(tree, frame, quoted, query)
    try:
        result = frame.eval(ast.unparse(tree), engine="python", parser="pandas")
    except Exception as error:  # pandas has no common error; its text may quote values, so only its type is told
        kinds = ", ".join(f"`{name}` is {_kind(table[name])}" for name in sorted(names))
        raise CohortError(
            f"`cohort.include` failed on {label} with a {type(error).__name__}: `{query}`. Compare numbers with "
            f"numbers, and text with text in quotes ({kinds or 'it names no column'})."
        ) from None
    if not (isinstance(result, pd.Series) and is_bool_dtype(result)):
        raise CohortError(
            f"`cohort.include` must be true or false for each row, but `{query}` is not. Compare a column with a "
            'value, such as "age < 70"; a column like 21001-2.0 needs backticks around its name.'
        )
    return result


def _check_kinds(tree: ast.AST, frame: pd.DataFrame, quoted: dict[str, str], query: str) -> None:
    """Refuse to compare text with numbers: pandas finds them merely different, so ``site != 11025`` keeps everybody."""

    def kinds(node: ast.expr) -> set[str]:
        if isinstance(node, ast.Constant):
            return {"text" if isinstance(node.value, str) else "numbers"}
        if isinstance(node, ast.Name):
            return {_kind(frame[node.id])}
        elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        return {kind for element in elements for kind in kinds(element)}

    for node in ast.walk(tree):
        operands: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            operands = [node.func.value, *node.args]
        mixed = len({kind for operand in operands for kind in kinds(operand)}) > 1
        for operand in operands:
            if isinstance(operand, ast.Name) and mixed:
                name, kind = quoted.get(operand.id, operand.id), _kind(frame[operand.id])
                raise CohortError(
                    f"`cohort.include` compares text with numbers, which is never equal: `{query}`. Column `{name}` "
                    f"holds {kind}: write the value {'in' if kind == 'text' else 'without'} quotes."
                )


def _kind(column: pd.Series) -> str:
    return "numbers" if is_numeric_dtype(column) else "text"


def _refuse_query(query: str, reason: str) -> NoReturn:
    raise CohortError(
        f"`cohort.include` is `{query}`, but {reason}. It may hold comparisons (also `in` and `not in`), and, or, not, "
        "arithmetic, column names (in backticks where they are not plain words), numbers, quoted text, lists, and "
        "`.notna()`, `.isna()`, `.isin([...])`, `.between(low, high)` of a column."
    ) from None
