"""A request after its way in, and a reply before its way out: what operations see of HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from .auth.caller import Caller

__all__ = ["Call", "Reply", "json_reply"]


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request for an operation."""

    caller: Caller
    request_id: str
    headers: Mapping[str, str]
    """Case-insensitive."""
    parameters: dict[str, str]
    """Of the path, decoded."""
    query: dict[str, str]
    body: bytes
    origin: str
    """Where the client reached the gateway, such as http://127.0.0.1:9001."""
    input: dict[str, Any] = field(default_factory=dict)
    """The operation's input, put together and validated against the API's model."""


@dataclass(slots=True)
class Reply:
    """What goes back: status, headers, and a body that is whole or still coming."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    """Of a body that is still coming, where it is known."""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    repeated: list[tuple[str, str]] = field(default_factory=list)
    """Headers of a function's own, such as Set-Cookie, whose names may come more than once."""


def json_reply(document: object, status: int = 200) -> Reply:
    """Make a reply of a JSON document."""
    return Reply(status, json.dumps(document, ensure_ascii=False).encode())
