"""``cohort.include``: a pandas query restricted to comparisons of the table's columns."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import NoReturn

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from brainage.data.cohorts.columns import SEXES
from brainage.data.cohorts.tables import check_columns
from brainage.errors import CohortError, NamedParticipantError
from brainage.system.console import printable

_PLAIN_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.UAdd),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Name, ast.Load, ast.List, ast.Tuple),
)
_METHODS = frozenset({"notna", "isna", "isin", "between"})
# Share of different values in a column that may be one of ids, and the smallest number that is as long as one.
_LIKE_IDS, _SMALLEST_ID = 0.9, 10_000
# What may be an id: text, and words with four digits in a row that are no field of UK Biobank.
_VALUES = re.compile(
    r"""(?P<name>`[^`]*`|\bp\d{1,5}(?:_\w+)?\b)|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|(?<![\w.])\w*\d{4}\w*"""
)
_TOKENS = re.compile(r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`(?P<name>[^`]*)`|(?P<operator>[&|])""")


def columns_of_query(query: str) -> set[str]:
    """Return the columns that a query names; raise CohortError if it is not a restricted query."""
    tree, quoted = _parsed_query(query)
    return {quoted.get(node.id, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _parsed_query(query: str) -> tuple[ast.Expression, dict[str, str]]:
    """Return the tree of a query whose nodes are all allowed, and the column of each replaced backticked name."""
    quoted: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        if match["name"] is not None:
            identifier = f"BACKTICKED_{len(quoted)}"
            quoted[identifier] = match["name"]
            return f" {identifier} "
        # In a pandas query, & and | have the precedence of the words.
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
            _refuse_query(query, f"it has a constant of type {type(node.value).__name__}")
        children = []
    elif isinstance(node, _PLAIN_NODES):
        children = list(ast.iter_child_nodes(node))
    else:
        _refuse_query(query, f"it has something else ({type(node).__name__})")
    for child in children:
        _check_node(child, query)


def refuse_participants(query: str, table: pd.DataFrame) -> None:
    """Raise if a query compares with a value of one participant: configs, which have it, are copied and shared.

    These are values that one participant has, in a column of text or of whole numbers that nearly all differ, any value
    in such a column of text, and numbers next to one that is as long as an id.

    Raises
    ------
    NamedParticipantError
        The message repeats no value.
    """
    tree, quoted = _parsed_query(query)
    _code_sexes(tree, quoted)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare | ast.Call):
            continue
        parts = list(ast.walk(node))
        values = [part.value for part in parts if isinstance(part, ast.Constant)]
        ordered = any(isinstance(part, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for part in parts)
        for name in {quoted.get(part.id, part.id) for part in parts if isinstance(part, ast.Name)}.intersection(table):
            if any(_is_of_one(table, name, value, ordered=ordered) for value in values):
                raise NamedParticipantError(
                    f"`cohort.include` must not name participants, but compares column `{printable(name)}` with a "
                    "value of one of them: a config is copied into every run's folder, where no id belongs. List "
                    "participants to exclude in a file, one id a line, with cohort.exclude_ids=FILE."
                )


def _is_of_one(table: pd.DataFrame, name: str, value: object, *, ordered: bool) -> bool:
    """Return whether a value of a query tells one participant from all others in a column."""
    column = table[name].dropna()
    nearly_all_differ = column.nunique() >= _LIKE_IDS * len(column)
    if _kind(column) == "text":
        same = column.str.casefold() == str(value).casefold()
        return nearly_all_differ or table.loc[column.index[same], "participant_id"].nunique() == 1
    with suppress(ValueError):
        near = (column - float(str(value))).abs() <= (1 if column.abs().min() >= _SMALLEST_ID else 0)
        if nearly_all_differ and near.any() and (column % 1 == 0).all():
            return not ordered or column.abs().min() >= _SMALLEST_ID
    return False


def shown(query: str) -> str:
    """Return a query for a message, without what may be an id."""
    return _VALUES.sub(lambda found: found[0] if found["name"] is not None else "...", query)


def selected(table: pd.DataFrame, query: str, label: str) -> pd.Series:
    """Return for each row whether the query is true; raise CohortError if it cannot be evaluated."""
    tree, quoted = _parsed_query(query)
    names = columns_of_query(query)
    text = shown(query)
    check_columns(sorted(names), [str(name) for name in table.columns], f"`cohort.include` is `{text}`, but {label}")
    # Backticked columns are renamed, so that pandas evaluates exactly the tree that was checked.
    frame = table[sorted(names)].assign(**{identifier: table[name] for identifier, name in quoted.items()})
    _code_sexes(tree, quoted)
    _check_kinds(tree, frame, quoted, query)
    try:
        result = frame.eval(ast.unparse(tree), engine="python", parser="pandas")
    except Exception as error:  # pandas has no common class; its message may quote values
        kinds = ", ".join(f"`{name}` is {_kind(table[name])}" for name in sorted(names))
        raise CohortError(
            f"`cohort.include` failed on {label} with a {type(error).__name__}: `{text}`. Compare numbers with "
            f"numbers, and text with text in quotes ({kinds or 'it names no column'})."
        ) from None
    if not (isinstance(result, pd.Series) and is_bool_dtype(result)):
        raise CohortError(
            f"`cohort.include` must be true or false for each row, but `{text}` is not. Compare a column with a "
            'value, such as "age < 70"; a column like 21001-2.0 needs backticks around its name.'
        )
    return result


def _operands(node: ast.AST) -> list[ast.expr]:
    """Return what a node compares with each other."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [node.func.value, *node.args]
    return []


def _code_sexes(tree: ast.AST, quoted: dict[str, str]) -> None:
    """Replace text that the column `sex` is compared with, such as F, by its code: tables may have either."""
    for operands in map(_operands, ast.walk(tree)):
        if any(isinstance(operand, ast.Name) and quoted.get(operand.id, operand.id) == "sex" for operand in operands):
            for node in (inner for operand in operands for inner in ast.walk(operand)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    node.value = SEXES.get(node.value.casefold(), node.value)


def _check_kinds(tree: ast.AST, frame: pd.DataFrame, quoted: dict[str, str], query: str) -> None:
    """Refuse comparisons of text with numbers, which pandas finds unequal, so that ``site != 11025`` keeps all rows."""

    def kinds(node: ast.expr) -> set[str]:
        if isinstance(node, ast.Constant):
            return {"text" if isinstance(node.value, str) else "numbers"}
        if isinstance(node, ast.Name):
            return {_kind(frame[node.id])}
        elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        return {kind for element in elements for kind in kinds(element)}

    for node in ast.walk(tree):
        operands = _operands(node)
        mixed = len({kind for operand in operands for kind in kinds(operand)}) > 1
        for operand in operands:
            if isinstance(operand, ast.Name) and mixed:
                name, kind = quoted.get(operand.id, operand.id), _kind(frame[operand.id])
                step = f"write the value {'in' if kind == 'text' else 'without'} quotes"
                step = step if name != "sex" else "compare it with F or M, or 0 (female) or 1 (male)"
                raise CohortError(
                    f"`cohort.include` compares text with numbers, which is never equal: `{shown(query)}`. Column "
                    f"`{name}` has {kind}: {step}."
                )


def _kind(column: pd.Series) -> str:
    return "numbers" if is_numeric_dtype(column) else "text"


def _refuse_query(query: str, reason: str) -> NoReturn:
    raise CohortError(
        f"`cohort.include` is `{shown(query)}`, but {reason}. It may have comparisons (also `in` and `not in`), and, "
        "or, not, arithmetic, column names (in backticks where they are not plain words), numbers, quoted text, lists, "
        "and `.notna()`, `.isna()`, `.isin([...])`, `.between(low, high)` of a column."
    ) from None
