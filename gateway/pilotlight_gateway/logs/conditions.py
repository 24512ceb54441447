"""Conditions of filter patterns: comparisons, joined by && and ||, in parentheses.

What stands on the left of a comparison is the selector's affair (`selectors`): a JSON path, or a
word's name. `filter_pattern` puts both together.
"""

from __future__ import annotations

import operator
import re
from fnmatch import translate
from typing import TYPE_CHECKING

from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    Condition = Callable[[object], bool]
    Selector = Callable[[object], list[object]]
    """Returns what it finds; nothing where there is nothing."""

__all__ = ["Condition", "FilterPatternError", "Selector", "Tokens", "parse_any"]

_PATH = r'\$(?:\.[\w@-]+|\[(?:\d+|\*)\]|\["[^"]*"\])*'
_TOKEN = re.compile(
    rf'\s*(?P<token>{_PATH}|&&|\|\||[()]|!=|<=|>=|=|<|>|"(?:[^"\\]|\\.)*"|[^\s()=<>!&|"]+|\S)'
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
MOST_DEPTH = 20


class FilterPatternError(InvalidParameterValueError):
    """A filter pattern cannot be read."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Invalid filter pattern: {what}")


class Tokens:
    """The tokens of a pattern, from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = [found["token"] for found in _TOKEN.finditer(text)]
        self._next = 0

    def peek(self) -> str:
        """Return the next token; empty at the end."""
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        """Return the next token and go on."""
        token = self.peek()
        self._next += 1
        return token

    def take_word(self, wanted: str) -> bool:
        """Go on where the next token is that word, in any case."""
        if self.peek().upper() == wanted:
            self._next += 1
            return True
        return False

    def expect_end(self) -> None:
        """Raise FilterPatternError where something is left."""
        if self.peek():
            raise FilterPatternError(f"{self.peek()!r} is too much")


def parse_any(tokens: Tokens, select: Callable[[str], Selector], depth: int = 0) -> Condition:
    """Parse conditions of which one must hold; raises FilterPatternError."""
    if depth > MOST_DEPTH:
        raise FilterPatternError(f"more than {MOST_DEPTH} parentheses are nested")
    parts = [_parse_all(tokens, select, depth)]
    while tokens.peek() == "||":
        tokens.take()
        parts.append(_parse_all(tokens, select, depth))
    return parts[0] if len(parts) == 1 else lambda value: any(part(value) for part in parts)


def _parse_all(tokens: Tokens, select: Callable[[str], Selector], depth: int) -> Condition:
    parts = [_parse_one(tokens, select, depth)]
    while tokens.peek() == "&&":
        tokens.take()
        parts.append(_parse_one(tokens, select, depth))
    return parts[0] if len(parts) == 1 else lambda value: all(part(value) for part in parts)


def _parse_one(tokens: Tokens, select: Callable[[str], Selector], depth: int) -> Condition:
    if tokens.peek() == "(":
        tokens.take()
        inner = parse_any(tokens, select, depth + 1)
        if tokens.take() != ")":
            raise FilterPatternError("a ) is missing")
        return inner
    selector = select(tokens.take())
    if tokens.take_word("IS"):
        return _is(tokens, selector)
    if tokens.take_word("NOT"):
        if not tokens.take_word("EXISTS"):
            raise FilterPatternError("EXISTS is expected after NOT")
        return lambda value: not selector(value)
    return _compare(tokens.take(), tokens.take(), selector)


def _is(tokens: Tokens, selector: Selector) -> Condition:
    word = tokens.take()
    wanted = {"NULL": None, "TRUE": True, "FALSE": False}
    if word.upper() not in wanted:
        raise FilterPatternError(f"NULL, TRUE or FALSE is expected after IS, {word!r} came")
    constant = wanted[word.upper()]
    return lambda value: any(one is constant for one in selector(value))


def _compare(sign: str, text: str, selector: Selector) -> Condition:
    if sign not in {"=", "!=", *_ORDERS}:
        raise FilterPatternError(f"a comparison is expected, {sign!r} came")
    if not text:
        raise FilterPatternError(f"a value is expected after {sign}")
    if sign in _ORDERS:
        return _order(sign, text, selector)
    equal = _equals(text)
    if sign == "=":
        return lambda value: any(equal(one) for one in selector(value))
    return lambda value: bool(found := selector(value)) and not any(equal(one) for one in found)


def _order(sign: str, text: str, selector: Selector) -> Condition:
    if not _NUMBER.fullmatch(text):
        raise FilterPatternError(f"a number is expected after {sign}, {text!r} came")
    holds, bound = _ORDERS[sign], float(text)
    return lambda value: any(
        (number := _number(one)) is not None and holds(number, bound) for one in selector(value)
    )


def _equals(text: str) -> Callable[[object], bool]:
    quoted = text.startswith('"')
    wanted = re.sub(r"\\(.)", r"\1", text[1:-1]) if quoted else text
    number = float(text) if _NUMBER.fullmatch(text) else None
    pattern = re.compile(translate(_only_stars(wanted))) if "*" in wanted else None

    def equal(value: object) -> bool:
        if number is not None:
            return _number(value) == number
        if not isinstance(value, str):
            return False
        return bool(pattern.match(value)) if pattern else value == wanted

    return equal


def _only_stars(text: str) -> str:
    """Keep * as it is and all else literal, as `fnmatch` reads it; a run of * is one."""
    return re.sub(r"\*+", "*", re.sub(r"[\[?]", lambda found: f"[{found[0]}]", text))


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None
