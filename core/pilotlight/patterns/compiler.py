"""From a pattern's text to its branches: what fields must hold, a branch for each way of `$or`.

The shape is event-ruler's: a field that is named twice counts as it was named last, and where any
`$or` is not what the relationship must be, every `$or` is an ordinary field's name. event-ruler
falls back to an older compiler then, which knows fewer forms of anything-but; here all are known.
"""

from __future__ import annotations

import json
from typing import Any

from .conditions import Condition, Members, parse_condition
from .errors import PatternError
from .matching import Branch, Pattern
from .numbers import load_json

__all__ = ["compile_pattern"]

_MOST_BRANCHES = 1000
"""EventBridge refuses patterns whose `$or`s multiply to more combinations."""
_MOST_CONDITIONS = 10_000
"""Of all combinations together."""
_RESERVED = frozenset({
    "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard",
    "numeric", "cidr", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case",
    "date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range",
    "ip-address-in-range", "ip-address-not-in-range",
})  # fmt: skip
"""Names that no field inside the relationship `$or` has: they would be an operator's."""
_Branch = dict[str, Condition]


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern; raises PatternError that says what is wrong, and where."""
    try:
        pattern = load_json(text, members=Members)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PatternError(f"Event pattern is not valid. Reason: {error.msg}", where) from error
    except ValueError as error:
        raise PatternError(f"Event pattern is not valid. Reason: {error}") from error
    if not isinstance(pattern, Members):
        raise PatternError("Event pattern is not valid. Reason: Filter is not an object")
    return Pattern(tuple(_branch(one) for one in _compile(pattern)))


def _compile(pattern: Members) -> list[_Branch]:
    try:
        return _Compiler(relationship="$or").object(pattern, "", [{}])
    except PatternError as error:
        try:
            return _Compiler(relationship=None).object(pattern, "", [{}])
        except PatternError:
            raise PatternError(f"Event pattern is not valid. Reason: {error}") from error
    except RecursionError as error:
        raise PatternError("Event pattern is not valid. Reason: too many levels") from error


def _branch(fields: _Branch) -> Branch:
    return tuple(sorted(fields.items(), key=lambda field: field[0]))


class _Compiler:
    def __init__(self, relationship: str | None) -> None:
        self._relationship = relationship

    def object(
        self,
        members: Members,
        path: str,
        branches: list[_Branch],
        reserved: frozenset[str] = frozenset(),
    ) -> list[_Branch]:
        """Add what an object asks for to each branch; returns the branches that then are."""
        if not members:
            raise PatternError("Empty objects are not allowed", path or "the top")
        for name, value in members:
            inner = f"{path}.{name}" if path else name
            if name == self._relationship:
                branches = self._either(value, path, branches)
            elif name in reserved:
                raise PatternError(
                    f"{name} is Ruler reserved fieldName which cannot be used inside $or", inner
                )
            elif isinstance(value, Members):
                branches = self.object(value, inner, branches, reserved)
            else:
                condition = _condition(name, value, inner)
                if sum(map(len, branches)) > _MOST_CONDITIONS:
                    raise PatternError(f"more than {_MOST_CONDITIONS} conditions", inner)
                branches = [branch | {inner: condition} for branch in branches]
        return branches

    def _either(self, alternatives: Any, path: str, branches: list[_Branch]) -> list[_Branch]:
        where = f"{path}.$or" if path else "$or"
        if not isinstance(alternatives, list):
            raise PatternError("It must be an Array followed with $or", where)
        forks: list[_Branch] = []
        for one in alternatives:
            if not isinstance(one, Members):
                raise PatternError(
                    "Only JSON object is allowed in array of $or relationship", where
                )
            forks += self.object(one, path, branches, _RESERVED)
            if len(forks) > _MOST_BRANCHES:
                raise PatternError(f"more than {_MOST_BRANCHES} combinations", where)
        if len(alternatives) < 2:  # noqa: PLR2004  a choice
            raise PatternError("There must have at least 2 Objects in $or relationship", where)
        return forks


def _condition(name: str, value: Any, path: str) -> Condition:
    if not isinstance(value, list):
        raise PatternError(f'"{name}" must be an object or an array', path)
    try:
        return parse_condition(value)
    except PatternError as error:
        raise error.inside(path) from error
