"""``cohort.include``: a pandas query restricted to comparisons of the table's columns."""

from __future__ import annotations

import ast
import re
from typing import NoReturn

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from brainage.data.cohorts.columns import SEXES
from brainage.data.cohorts.tables import check_columns
from brainage.errors import CohortError

_PLAIN_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.UAdd),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Name, ast.Load, ast.List, ast.Tuple),
)
_METHODS = frozenset({"notna", "isna", "isin", "between"})
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
            _refuse_query(query, f"it has the constant {node.value!r}")
        children = []
    elif isinstance(node, _PLAIN_NODES):
        children = list(ast.iter_child_nodes(node))
    else:
        _refuse_query(query, f"it has something else ({type(node).__name__})")
    for child in children:
        _check_node(child, query)


def selected(table: pd.DataFrame, query: str, label: str) -> pd.Series:
    """Return for each row whether the query is true; raise CohortError if it cannot be evaluated."""
    tree, quoted = _parsed_query(query)
    names = columns_of_query(query)
    check_columns(sorted(names), [str(name) for name in table.columns], f"`cohort.include` is `{query}`, but {label}")
    # Backticked columns are renamed, so that pandas evaluates exactly the tree that was checked.
    frame = table[sorted(names)].assign(**{identifier: table[name] for identifier, name in quoted.items()})
    _code_sexes(tree, quoted)
    _check_kinds(tree, frame, quoted, query)
    try:
        result = frame.eval(ast.unparse(tree), engine="python", parser="pandas")
    except Exception as error:  # pandas has no common class; its message may quote values
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
                raise CohortError(
                    f"`cohort.include` compares text with numbers, which is never equal: `{query}`. Column `{name}` "
                    f"has {kind}: {step if name != 'sex' else 'compare it with F or M, or 0 (female) or 1 (male)'}."
                )


def _kind(column: pd.Series) -> str:
    return "numbers" if is_numeric_dtype(column) else "text"


def _refuse_query(query: str, reason: str) -> NoReturn:
    raise CohortError(
        f"`cohort.include` is `{query}`, but {reason}. It may have comparisons (also `in` and `not in`), and, or, not, "
        "arithmetic, column names (in backticks where they are not plain words), numbers, quoted text, lists, and "
        "`.notna()`, `.isna()`, `.isin([...])`, `.between(low, high)` of a column."
    ) from None
