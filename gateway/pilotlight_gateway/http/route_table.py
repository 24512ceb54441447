"""Which route matches a path: the most exact one, segment by segment. Pure.

A literal segment goes before a parameter, a parameter before `{proxy+}` (API Gateway Developer
Guide, "Routes for HTTP APIs"). `{proxy+}` stands for what is left of the path, even for nothing
after its slash, so that one route can carry a whole web application.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .site import Site

__all__ = ["RouteTable"]

_LITERAL, _PARAMETER, _GREEDY = range(3)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A path's segments: kind, and the literal or the parameter's name."""

    segments: tuple[tuple[int, str], ...]

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """Return the parameters where the path fits, else None."""
        parameters: dict[str, str] = {}
        for position, (kind, name) in enumerate(self.segments):
            if position >= len(path):
                return None
            if kind == _GREEDY:
                return parameters | {name: unquote("/".join(path[position:]))}
            value = unquote(path[position])
            if kind == _PARAMETER and value:
                parameters[name] = value
            elif kind == _PARAMETER or value != name:
                return None
        return parameters if len(path) == len(self.segments) else None


@dataclass(slots=True)
class RouteTable:
    """The routes of one host."""

    _entries: list[tuple[_Pattern, Site]] = field(default_factory=list)

    @classmethod
    def of(cls, sites: Sequence[Site]) -> RouteTable:
        """Make the table of some sites."""
        entries = [(_pattern(site.resource), site) for site in sites]
        # Of one shape the routes with named methods go first: one for all may stand behind them.
        entries.sort(key=lambda entry: (_rank(entry[0]), not entry[1].methods))
        return cls(entries)

    def find(self, method: str, path: str) -> tuple[Site, dict[str, str]] | None:
        """Return the most exact site of a raw path, and the path's parameters."""
        segments = path.split("/")[1:]
        for pattern, site in self._entries:
            if site.methods and method not in site.methods:
                continue
            parameters = pattern.match(segments)
            if parameters is not None:
                return site, parameters
        return None


def _rank(pattern: _Pattern) -> tuple[int, ...]:
    return tuple(kind for kind, _ in pattern.segments)


def _pattern(path: str) -> _Pattern:
    return _Pattern(tuple(_segment(part) for part in path.split("/")[1:]))


def _segment(text: str) -> tuple[int, str]:
    if not text.startswith("{"):
        return _LITERAL, unquote(text)
    name = text[1:-1]
    return (_GREEDY, name[:-1]) if name.endswith("+") else (_PARAMETER, name)
