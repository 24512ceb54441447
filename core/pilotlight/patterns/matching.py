"""Whether an event holds what a pattern asks for, arrays included.

Arrays are looked into: a field of several values holds if one of them does. Of an array of
objects, what is asked of several fields must be found in one and the same object: event-ruler's
array consistency. It takes fields in the order of their names; a field is absent if no object has
it that is still possible after the fields before.

Patterns and events are strangers': how much work one match may be is bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .conditions import Condition
from .errors import UnjudgedError

__all__ = ["Branch", "Pattern", "Work"]

MOST_STEPS = 250_000
"""Of one match, some tens of milliseconds: values times the conditions that they are compared with,
and the places in arrays that are kept in mind."""

Branch = tuple[tuple[str, Condition], ...]
"""Fields by their path, such as `detail.state`, in the order of their names."""
_Place = frozenset[tuple[int, int]]
"""Which element of which array: a number of each array, and an index."""
_NOWHERE: _Place = frozenset()
_Found = dict[str, list[tuple[Any, _Place]]]


class Pattern:
    """A compiled pattern."""

    def __init__(self, branches: tuple[Branch, ...]) -> None:
        self._branches = branches
        self.fields = frozenset(path for branch in branches for path, _ in branch)
        """The paths that it asks for, such as `detail.state`."""
        self._root = _tree(self.fields)

    def matches(self, event: Mapping[str, Any], work: Work | None = None) -> bool:
        """Say whether an event, parsed JSON (`load_json`), holds what is asked for.

        Raises UnjudgedError where that is too much work, of which several may share one measure.
        """
        work = work or Work()
        found, arrays = _find(event, self._root, work)
        holds = _holds_in_arrays if arrays else _holds
        return any(holds(branch, found, work) for branch in self._branches)


class Work:
    """What is left of the work that one match may be."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def spend(self, steps: int) -> None:
        """Take note of steps; raises UnjudgedError."""
        self._left -= steps
        if self._left < 0:
            raise UnjudgedError(f"more than {MOST_STEPS} steps would say whether an event matches")


class _Node:
    """A place in an event that a field leads to or through."""

    __slots__ = ("path", "steps")

    def __init__(self) -> None:
        self.path: str | None = None
        """The field, where one ends here."""
        self.steps: dict[str, _Node] = {}


def _tree(paths: Iterable[str]) -> _Node:
    """Lay out the ways to fields, a node for each name."""
    root = _Node()
    for path in paths:
        node = root
        for name in path.split("."):
            node = node.steps.setdefault(name, _Node())
        node.path = path
    return root


def _step(node: _Node, name: str) -> _Node | None:
    """Go on by a name of an event, which may hold points: `a.b` is `b` in `a` too."""
    step = node.steps.get(name)
    if step is not None or "." not in name:
        return step
    step = node
    for part in name.split("."):
        step = step.steps.get(part)
        if step is None:
            return None
    return step


def _find(event: Mapping[str, Any], root: _Node, work: Work) -> tuple[_Found, int]:
    """Collect the values of the fields asked for, and count the arrays with more inside."""
    found: _Found = defaultdict(list)
    arrays = 0
    left: list[tuple[Any, _Node, _Place]] = [(event, root, _NOWHERE)]
    while left:  # no recursion: an event may be nested deeper than Python's stack
        value, node, place = left.pop()
        if isinstance(value, Mapping):
            for name, inner in value.items():
                step = _step(node, name)
                if step is not None:
                    left.append((inner, step, place))
        elif isinstance(value, list):
            nested = False
            for index, inner in enumerate(value):
                if isinstance(inner, dict | list):
                    nested = True
                    work.spend(len(place) + 1)
                    left.append((inner, node, place | {(arrays, index)}))
                elif node.path is not None:
                    found[node.path].append((inner, place))
            arrays += nested
        elif node.path is not None:
            found[node.path].append((value, place))
    return found, arrays


def _holds(branch: Branch, found: _Found, work: Work) -> bool:
    """Say whether each field holds, where no array stands in between."""
    for path, condition in branch:
        values = found.get(path)
        if values is None:
            if not condition.absent:
                return False
            continue
        work.spend(len(values) * condition.steps)
        if not any(condition.holds(value) for value, _ in values):
            return False
    return True


def _holds_in_arrays(branch: Branch, found: _Found, work: Work) -> bool:
    """Say whether there are elements of the arrays in which all fields hold together."""
    possible = {_NOWHERE}
    for position, (path, condition) in enumerate(branch):
        values = found.get(path, [])
        work.spend(len(values) * condition.steps)
        holding = {place for value, place in values if condition.holds(value)}
        reached = {before | place for before, place in _consistent(possible, holding, work)}
        if condition.absent:
            reached |= possible - _seeing(possible, {place for _, place in values}, work)
        if not reached:
            return False
        # Arrays that no later field is in say no more; kept, their elements would multiply.
        later = _arrays(
            place for name, _ in branch[position + 1 :] for _, place in found.get(name, [])
        )
        possible = {_within(place, later) for place in reached}
    return True


def _seeing(possible: set[_Place], places: set[_Place], work: Work) -> set[_Place]:
    """Return what is possible and agrees with one of the places."""
    known = _arrays(possible)
    agreeing = {_within(one, known) for one in places}
    return {before for before, _ in _consistent(possible, agreeing, work)}


def _consistent(
    possible: set[_Place], places: set[_Place], work: Work
) -> Iterator[tuple[_Place, _Place]]:
    """Pair what names no array with two different elements.

    By their common part, so that long arrays do not cost their length squared.
    """
    for arrays, group in _by_arrays(places).items():
        for others, before in _by_arrays(possible).items():
            common = arrays & others
            partners: defaultdict[_Place, list[_Place]] = defaultdict(list)
            for place in group:
                partners[_within(place, common)].append(place)
            for one in before:
                for place in partners.get(_within(one, common), ()):
                    work.spend(1 + len(one))
                    yield one, place


def _by_arrays(places: set[_Place]) -> dict[frozenset[int], list[_Place]]:
    groups: defaultdict[frozenset[int], list[_Place]] = defaultdict(list)
    for place in places:
        groups[_arrays([place])].append(place)
    return groups


def _arrays(places: Iterable[_Place]) -> frozenset[int]:
    return frozenset(array for place in places for array, _ in place)


def _within(place: _Place, arrays: frozenset[int]) -> _Place:
    return frozenset(one for one in place if one[0] in arrays) if place else place
