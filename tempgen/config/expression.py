"""Conditions on named columns, written as text in an analysis file: ``session <= 2 and not after_blank``.

The text is parsed by Python's own grammar and walked here, so that nothing but the operators below is ever run. Columns
are arrays with one entry an item (a trial, a voxel); a condition gives one truth value an item.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ConfigError

MAX_LENGTH = 10_000
"""Characters of a condition. Source: house choice; a list of a thousand images fits."""
GRAMMAR = (
    "compare columns with numbers or 'text' (==, !=, <, <=, >, >=, in, not in), combine with and, or, not and brackets; "
    "+ - * // % calculate"
)
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_BITS: dict[type, Callable[[Any, Any], Any]] = {ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or}
"""What pandas writes for and, or; between conditions in brackets they mean the same here."""


def check_condition(text: str, *, key: str, columns: Collection[str] | None = None) -> None:
    """Refuse a text that is no condition, before there are any values.

    Parameters
    ----------
    text : str
    key : str
        Where it stands, for the message: ``"split.train_where"``.
    columns : collection of str, optional
        Columns that it may name; any unless given.

    Raises
    ------
    ConfigError
        If it does not follow the grammar, or names a column that does not exist (they are listed).

    Examples
    --------
    >>> check_condition("session <= 2", key="split.train_where", columns=("session", "run"))
    """
    _parsed(text, key=key, columns=columns)


def evaluate_condition(
    text: str, columns: Mapping[str, NDArray[Any]], *, key: str, items: str = "items"
) -> NDArray[np.bool_]:
    """Which items fulfil a condition.

    Parameters
    ----------
    text : str
    columns : mapping of str to array, shape (n_items,)
        Numbers, truth values or text.
    key : str
        Where the condition stands, for messages.
    items : str
        What an item is, for messages.

    Returns
    -------
    array of bool, shape (n_items,)

    Raises
    ------
    ConfigError
        If the text is no condition, names a column that does not exist (they are listed), names none, compares text
        with numbers, or divides by zero.

    Examples
    --------
    >>> evaluate_condition("1 <= session < 3 and not late", {"session": np.arange(4), "late": np.arange(4) > 1}, key="k")
    array([False,  True, False, False])
    """
    tree = _parsed(text, key=key, columns=columns)
    try:
        chosen = np.asarray(_value(tree, columns))
    except _Unfit as error:
        raise _refusal(text, key, str(error), columns) from None
    if chosen.dtype != bool:
        raise _refusal(text, key, f"it gives {chosen.dtype} and no truth values", columns)
    if chosen.ndim == 0:
        raise _refusal(text, key, f"it is the same for all {items}, as it names no column", columns)
    return chosen


class _Unfit(Exception):
    """Why a condition cannot be evaluated."""


def _refusal(text: str, key: str, reason: str, columns: Collection[str] | None) -> ConfigError:
    there = "" if columns is None else f" Columns: {', '.join(columns)}."
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return ConfigError(f"{key} is {shown!r}: {reason}.{there} Write a condition: {GRAMMAR}.")


def _parsed(text: str, *, key: str, columns: Collection[str] | None) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise _refusal(text, key, f"it has {len(text)} characters, at most {MAX_LENGTH} are read", None)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", str(error)) or type(error).__name__
        raise _refusal(text, key, f"it cannot be read ({reason})", columns) from None
    except _Unfit as error:
        raise _refusal(text, key, str(error), columns) from None
    if columns is not None:
        named = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        unknown = [name for name in dict.fromkeys(named) if name not in columns]
        if unknown:
            raise _refusal(text, key, f"there is no column {', '.join(unknown)}", columns)
    return tree


def _check(node: ast.expr) -> None:
    """Refuse every piece of syntax that is not listed here."""
    match node:
        case ast.Name():
            return
        case ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            parts = [operand]
        case ast.BoolOp(values=values):
            parts = values
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC | _BITS:
            parts = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            parts = [left]
            for comparison, comparator in zip(ops, comparators, strict=True):
                parts.extend(
                    _members(comparator) if isinstance(comparison, ast.In | ast.NotIn) else [comparator]
                )
            if any(type(op) not in _COMPARISONS and not isinstance(op, ast.In | ast.NotIn) for op in ops):
                raise _Unfit("'is' compares no values: use ==")
        case _:
            raise _Unfit(f"{ast.unparse(node)!r} is not understood")
    for part in parts:
        _check(part)


def _members(node: ast.expr) -> list[ast.expr]:
    members = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []
    if members and all(isinstance(part, ast.Constant | ast.UnaryOp) for part in members):
        return members
    raise _Unfit(f"in needs values in brackets, e.g. in (1, 2), not {ast.unparse(node)!r}")


def _value(node: ast.expr, columns: Mapping[str, NDArray[Any]]) -> Any:
    match node:
        case ast.Name(id=name):
            return np.asarray(columns[name])
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(_value(operand, columns), operand)
        case ast.UnaryOp(operand=operand):
            return np.logical_not(_truth(_value(operand, columns), operand))
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return reduce(combine, [_truth(_value(part, columns), part) for part in values])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BITS:
            return _BITS[type(op)](_truth(_value(left, columns), left), _truth(_value(right, columns), right))
        case ast.BinOp(left=left, op=op, right=right):
            first, second = (_number(_value(part, columns), part) for part in (left, right))
            if isinstance(op, ast.FloorDiv | ast.Mod) and np.any(second == 0):
                raise _Unfit(f"{ast.unparse(node)!r} divides by zero")
            return _ARITHMETIC[type(op)](first, second)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            outcomes = []
            for comparison, right in zip(ops, comparators, strict=True):
                outcomes.append(_compared(left, comparison, right, columns))
                left = right
            return reduce(np.logical_and, outcomes)
    raise _Unfit(f"{ast.unparse(node)!r} is not understood")


def _compared(left: ast.expr, comparison: ast.cmpop, right: ast.expr, columns: Mapping[str, Any]) -> Any:
    value = _value(left, columns)
    if isinstance(comparison, ast.In | ast.NotIn):
        members = [_value(part, columns) for part in _members(right)]
        for member in members:
            _check_same_kind(value, member, left, right)
        found = reduce(np.logical_or, [_equal(value, member) for member in members])
        return found if isinstance(comparison, ast.In) else np.logical_not(found)
    other = _value(right, columns)
    _check_same_kind(value, other, left, right)
    return np.asarray(_COMPARISONS[type(comparison)](value, other), dtype=bool)


def _equal(value: Any, member: Any) -> Any:
    return np.asarray(value == member, dtype=bool)


def _is_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "OUST"


def _check_same_kind(value: Any, other: Any, left: ast.expr, right: ast.expr) -> None:
    if _is_text(value) != _is_text(other):
        raise _Unfit(
            f"{ast.unparse(left)!r} and {ast.unparse(right)!r} are text and numbers, which do not compare"
        )


def _truth(value: Any, node: ast.expr) -> Any:
    if np.asarray(value).dtype != bool:
        raise _Unfit(f"{ast.unparse(node)!r} is no condition (and, or, not combine conditions)")
    return value


def _number(value: Any, node: ast.expr) -> Any:
    if np.asarray(value).dtype.kind not in "iuf":
        raise _Unfit(f"{ast.unparse(node)!r} is no number")
    return value
