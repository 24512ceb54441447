r"""Texts with `*` for anything; no regular expression, so that no text takes unbearably long.

`\*` and `\\` are the characters themselves; other escapes, and `**`, are refused as AWS does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parse_wildcard"]


def parse_wildcard(text: str) -> Callable[[object], bool]:
    """Return the test of a value; raises PatternError, positions count bytes after a quote."""
    first, *rest = _parts(text)
    if not rest:
        return lambda value: value == first
    *between, last = rest

    def matches(value: object) -> bool:
        if not (isinstance(value, str) and value.startswith(first) and value.endswith(last)):
            return False
        start, end = len(first), len(value) - len(last)
        for part in between:
            found = value.find(part, start, end)
            if found < 0:
                return False
            start = found + len(part)
        return start <= end

    return matches


def _parts(text: str) -> list[str]:
    """Split at each `*` that stands for anything."""
    parts = [""]
    characters = iter(enumerate(text))
    for at, character in characters:
        following = text[at + 1 : at + 2]
        if character == "*":
            if following == "*":
                raise PatternError(f"Consecutive wildcard characters at pos {_position(text, at)}")
            parts.append("")
        elif character == "\\":
            if following not in {"*", "\\"}:
                raise PatternError(f"Invalid escape character at pos {_position(text, at)}")
            parts[-1] += following
            next(characters)
        else:
            parts[-1] += character
    return parts


def _position(text: str, at: int) -> int:
    return 1 + len(text[:at].encode(errors="surrogatepass"))
