"""Numbers of patterns and events, and JSON that keeps them as they were written.

event-ruler compares numbers as doubles, but only those that a double holds without loss; any other,
such as a long account number, equals only itself and is in no range.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["is_comparable", "is_number", "load_json"]

_EXACT_INTEGERS = 2**53
"""A double holds every whole number up to this."""
_EXACT_CHARACTERS = 16
"""As many characters of a number without an exponent hold 15 digits, which no double loses."""


def load_json(text: str | bytes, *, members: Callable[[list[tuple[str, Any]]], Any] = dict) -> Any:
    """Parse JSON; raises ValueError. A number that no double holds becomes int or Decimal.

    `members` makes an object of its members, in their order, repeated ones among them.
    """
    try:
        return json.loads(
            text, object_pairs_hook=members, parse_float=_read_float, parse_constant=_refuse
        )
    except RecursionError as error:
        raise ValueError("too many levels") from error


def is_number(value: object) -> bool:
    """Say whether a value is a number; true and false are none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_comparable(value: object) -> bool:
    """Say whether a value is a number that has an order among others."""
    if isinstance(value, float):
        return abs(value) != float("inf")
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    return abs(value) <= _EXACT_INTEGERS or _survives(value)


def _read_float(text: str) -> float | Decimal:
    value = float(text)
    if len(text) <= _EXACT_CHARACTERS and "e" not in text.lower():
        return value
    try:
        written = Decimal(text)
    except ArithmeticError:  # an exponent beyond all bounds
        return value
    return value if Decimal(repr(value)) == written else written


def _survives(value: int) -> bool:
    """Say whether a long number is what its double is written as."""
    try:
        return Decimal(repr(float(value))) == value
    except OverflowError:
        return False


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
