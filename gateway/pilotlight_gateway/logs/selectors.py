"""What a condition of a filter pattern looks at: a JSON path, or one word of a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .conditions import FilterPatternError

if TYPE_CHECKING:
    from .conditions import Selector

__all__ = ["field_selector", "json_selector"]

_STEP = re.compile(r'\.(?P<name>[A-Za-z0-9_@-]+)|\[(?P<index>\d+|\*)\]|\["(?P<quoted>[^"]+)"\]')
MOST_STEPS = 30


def json_selector(path: str) -> Selector:
    """Select what a path such as `$.a[0].b` names; raises FilterPatternError."""
    steps = _steps(path)

    def select(document: object) -> list[object]:
        found = [document]
        for step in steps:
            found = [inner for one in found for inner in _into(one, step)]
        return found

    return select


def field_selector(name: str) -> Selector:
    """Select the word itself: which one it is, its position says; raises FilterPatternError."""
    if not re.fullmatch(r"\w+", name):
        raise FilterPatternError(f"a field's name is expected, {name!r} came")
    return lambda word: [word]


def _steps(path: str) -> list[str | int | None]:
    """Take a path apart; None stands for every item of an array."""
    if not path.startswith("$"):
        raise FilterPatternError(f"a path that begins with $ is expected, {path!r} came")
    steps: list[str | int | None] = []
    end = 1
    while end < len(path):
        step = _STEP.match(path, end)
        if step is None:
            raise FilterPatternError(f"{path!r} is no path from character {end + 1} on")
        index = step["index"]
        steps.append(
            step["name"] or step["quoted"]
            if index is None
            else None
            if index == "*"
            else int(index)
        )
        end = step.end()
    if len(steps) > MOST_STEPS:
        raise FilterPatternError(f"a path has at most {MOST_STEPS} steps")
    return steps


def _step(step: re.Match[str]) -> str | int | None:
    index = step["index"]
    if index is None:
        return step["name"] or step["quoted"]
    return None if index == "*" else int(index)


def _into(value: object, step: str | int | None) -> list[object]:
    match value, step:
        case dict(), str() if step in value:
            return [value[step]]
        case list(), None:
            return list(value)
        case list(), int() if step < len(value):
            return [value[step]]
        case _:
            return []
