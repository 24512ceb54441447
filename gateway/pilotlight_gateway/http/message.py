"""An HTTP request and a response as payload formats see them: plain values, no connection.

`endpoint` makes the one of aiohttp's request and turns the other into a `Reply`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

__all__ = ["HttpRequest", "HttpResponse", "grouped", "is_text"]

_TEXTS = frozenset({"application/json", "application/javascript", "application/xml"})
_TEXT_SUFFIXES = ("+json", "+xml")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, whole."""

    method: str
    path: str
    """Raw, as the function shall see it: without the prefix of a function URL's path form."""
    query: str
    """Raw."""
    headers: tuple[tuple[str, str], ...]
    """As they came, in their order."""
    host: str
    """Without a port."""
    source_ip: str
    protocol: str
    """Such as HTTP/1.1."""
    request_id: str
    time: float
    """Seconds since the epoch."""
    body: bytes = b""

    @property
    def decoded_path(self) -> str:
        """The path without percent-encoding."""
        return unquote(self.path)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query's parameters, decoded, in their order."""
        return parse_qsl(self.query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """Return a header's values, joined by commas; empty where it is not there."""
        return ",".join(value for key, value in self.headers if key.lower() == name)

    def has_text(self) -> bool:
        """Say whether the body may stand in a JSON document as text."""
        if self.header("content-encoding") or not is_text(self.header("content-type")):
            return False
        try:
            self.body.decode()
        except UnicodeDecodeError:
            return False
        return True


@dataclass(slots=True)
class HttpResponse:
    """A response; its body is whole or still coming."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""
    release: Callable[[], None] = lambda: None
    """Called once the client has it, or has gone."""


def is_text(content_type: str) -> bool:
    """Say whether bodies of a media type are handed on as text, not as Base64."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXTS or kind.endswith(_TEXT_SUFFIXES)


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Collect the values of each name."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return dict(groups)
