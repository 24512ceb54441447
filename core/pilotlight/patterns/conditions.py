"""What the array of a field says of one value: exact values, and match expressions by operator.

Amazon EventBridge User Guide, "Comparison operators for use in event patterns"; errors are in
event-ruler's words, which AWS hands on.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .addresses import parse_address, parse_network
from .errors import PatternError
from .numbers import is_comparable, is_number
from .wildcards import parse_wildcard

__all__ = ["Condition", "Members", "parse_condition"]

Test = Callable[[object], bool]


class Members(tuple[tuple[str, Any], ...]):
    """A JSON object of a pattern: its members in their order, repeated ones among them."""

    __slots__ = ()


_ABSENT = (("exists", False),)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field must hold: any of these."""

    exact: frozenset[object]
    """Values, as `_key` makes them."""
    tests: tuple[Test, ...]
    absent: bool
    """Also where the field is not there."""

    @property
    def steps(self) -> int:
        """How many comparisons a value may take."""
        return 1 + len(self.tests)

    def holds(self, value: object) -> bool:
        """Say whether a value, no object and no array, is one of these."""
        return _key(value) in self.exact or any(test(value) for test in self.tests)


def parse_condition(alternatives: list[Any]) -> Condition:
    """Read a field's array; raises PatternError."""
    if not alternatives:
        raise PatternError("Empty arrays are not allowed")
    values = [one for one in alternatives if not isinstance(one, Members)]
    if any(isinstance(one, list) for one in values):
        raise PatternError("Match value must be String, number, true, false, or null")
    addresses = {one for one in values if isinstance(one, str) and parse_address(one)}
    tests = [_same_address(one) for one in addresses]
    absent = False
    for position, one in enumerate(alternatives):
        if isinstance(one, Members):
            if one == _ABSENT and one[0][1] is False:
                absent = True
            else:
                tests.append(_parse_expression(one, position))
    exact = frozenset(_key(one) for one in values if one not in addresses)
    return Condition(exact, tuple(tests), absent)


def _key(value: object) -> object:
    """Keep true and false apart from 1 and 0, which Python takes for the same."""
    return (value,) if value is True or value is False else value


def _parse_expression(members: Members, position: int) -> Test:
    try:
        return _parse_operator(members)
    except PatternError as error:
        raise error.inside(f"[{position}]") from error


def _parse_operator(members: Members) -> Test:
    if not members:
        raise PatternError("Match expression name not found")
    name, operand = members[0]
    parse = _OPERATORS.get(name)
    if parse is None:
        raise PatternError(f"Unrecognized match type {name}")
    if len(members) > 1:
        raise PatternError("Only one key allowed in match expression")
    return parse(operand)


def _same_address(text: str) -> Test:
    address = parse_address(text)
    return lambda value: isinstance(value, str) and parse_address(value) == address


def _exactly(operand: Any) -> Test:
    text = _string("exact", operand)
    return lambda value: value == text


def _exists(operand: Any) -> Test:
    if operand is not True:
        raise PatternError("exists match pattern must be either true or false.")
    return lambda _: True


def _prefix(operand: Any) -> Test:
    if isinstance(operand, Members):
        match = _ignoring_case(_sole("prefix", operand)).match
        return lambda value: isinstance(value, str) and match(value) is not None
    text = _string("prefix", operand)
    return lambda value: isinstance(value, str) and value.startswith(text)


def _suffix(operand: Any) -> Test:
    if isinstance(operand, Members):
        # From the end, as a prefix: to look for it everywhere takes the product of both lengths.
        match = _ignoring_case(_sole("suffix", operand), backwards=True).match
        return lambda value: isinstance(value, str) and match(value[::-1]) is not None
    text = _string("suffix", operand)
    return lambda value: isinstance(value, str) and value.endswith(text)


def _equals_ignore_case(operand: Any) -> Test:
    match = _ignoring_case(_string("equals-ignore-case", operand)).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


def _wildcard(operand: Any) -> Test:
    return parse_wildcard(_string("wildcard", operand))


def _cidr(operand: Any) -> Test:
    return parse_network(_string("cidr", operand)).holds


def _numeric(operand: Any) -> Test:
    """Read `["=", 5]`, `[">", 0]` or `[">=", 0, "<", 10]`."""
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    name, bound = (*operand, None, None)[:2]
    compare = _comparison(name, bound)
    if len(operand) <= 2:  # noqa: PLR2004  an operator and its bound
        return lambda value: is_comparable(value) and compare(value, bound)
    if name not in {">", ">="}:
        raise PatternError("Too many elements in numeric expression")
    below, top = _parse_top(operand[2:])
    if bound >= top:
        raise PatternError("Bottom must be less than top")
    return lambda value: is_comparable(value) and compare(value, bound) and below(value, top)


def _parse_top(operand: list[Any]) -> tuple[Callable[[Any, Any], bool], Any]:
    name, top = (*operand, None)[:2]
    if not isinstance(name, str) or name not in {"<", "<="}:
        raise PatternError(f"Bad numeric range operator: {name}")
    compare = _comparison(name, top)
    if len(operand) > 2:  # noqa: PLR2004  an operator and its bound
        raise PatternError("Too many terms in numeric range expression")
    return compare, top


def _comparison(name: Any, bound: Any) -> Callable[[Any, Any], bool]:
    compare = _COMPARISONS.get(name) if isinstance(name, str) else None
    if compare is None:
        raise PatternError(f"Unrecognized numeric range operator: {name}")
    if not is_number(bound):
        raise PatternError(f"Value of {'equals' if name == '=' else name} must be numeric")
    _check_comparable(bound)
    return compare


def _check_comparable(number: Any) -> None:
    if not is_comparable(number):
        raise PatternError(f"Cannot compare number : {number}")


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, Members):
        return _anything_but_texts(operand)
    values = operand if isinstance(operand, list) else [operand]
    if not all(isinstance(one, str) or is_number(one) for one in values):
        raise PatternError("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(one, str) for one in values}) != 1:
        raise PatternError(
            "Inside anything but list, either all values are number or string, mixed type is not "
            "supported"
        )
    for one in values:
        if not isinstance(one, str):
            _check_comparable(one)
    excluded = frozenset(values)
    return lambda value: _key(value) not in excluded


def _anything_but_texts(members: Members) -> Test:
    """Read `{"prefix": "a"}`, `{"wildcard": ["a*", "b*"]}` and their like."""
    if not members:
        raise PatternError("Anything-But expression name not found")
    name, operand = members[0]
    if name not in {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
        raise PatternError(f"Unsupported anything-but pattern: {name}")
    if len(members) > 1:
        raise PatternError("Only one key allowed in match expression")
    texts = operand if isinstance(operand, list) and operand else [operand]
    if name in {"prefix", "suffix"} and "" in texts:
        raise PatternError("Null prefix/suffix not allowed")
    tests = [_OPERATORS[name](_string(name, text)) for text in texts]
    return lambda value: not any(test(value) for test in tests)


def _sole(name: str, members: Members) -> str:
    if [member for member, _ in members] != ["equals-ignore-case"]:
        raise PatternError(f"Unsupported {name} pattern: {members[0][0] if members else 'empty'}")
    return _string("equals-ignore-case", members[0][1])


def _string(name: str, operand: Any) -> str:
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")
    return operand


def _ignoring_case(text: str, *, backwards: bool = False) -> re.Pattern[str]:
    """Match each character in its lower or upper form, alone, as event-ruler does: ß is also SS."""
    characters = reversed(text) if backwards else text
    return re.compile("".join(_forms(one, backwards=backwards) for one in characters))


@functools.lru_cache(maxsize=1024)
def _forms(character: str, *, backwards: bool) -> str:
    step = -1 if backwards else 1
    forms = sorted({re.escape(one[::step]) for one in (character.lower(), character.upper())})
    return forms[0] if len(forms) == 1 else f"(?:{'|'.join(forms)})"


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "exactly": _exactly,
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}
