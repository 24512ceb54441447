"""A request after its way in, and a reply before its way out: what operations see of HTTP."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from multidict import MultiDict

from .errors import SerializationError, ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from .auth.caller import Caller
    from .invocation.reference import Reference
    from .invocation.targets import Target

__all__ = ["Call", "Query", "Reply", "json_reply", "parse_json", "parse_query", "refuse_repeated"]

MOST_PARAMETERS = 100
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
Query = MultiDict[str]
"""Query parameters, decoded, in the order in which they came; a name may come more than once."""


@dataclass(slots=True)
class Call:
    """An authenticated request for an operation."""

    operation: str
    """Its name in the service's table, such as `GetFunction`."""
    caller: Caller
    request_id: str
    headers: Mapping[str, str]
    """Case-insensitive."""
    parameters: dict[str, str]
    """Of the path, decoded."""
    query: Query
    body: bytes
    origin: str
    """Where the client reached the gateway, such as http://127.0.0.1:9001."""
    input: dict[str, Any] = field(default_factory=dict)
    """The operation's input, put together and validated against the API's model."""
    source_ip: str = ""
    """Where the connection came from, which may be a proxy."""
    reference: Reference | None = None
    """The function that it is about, which may be another account's that lets the caller.

    `authorisation` finds it.
    """
    target: Target | None = None
    """What that reference means, where it means anything."""

    @property
    def function(self) -> Reference:
        """The reference of an operation that is about a function."""
        if self.reference is None:
            raise LookupError(f"{self.operation} is about no function")
        return self.reference

    @property
    def account(self) -> str:
        """The account of what it is about: the caller's, or that of the function."""
        return self.caller.account if self.reference is None else self.reference.account

    @property
    def namespace(self) -> str:
        """The namespace of that account."""
        return self.caller.namespace if self.reference is None else self.reference.namespace


@dataclass(slots=True)
class Reply:
    """What goes back: status, headers, and a body that is whole or still coming."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    """Of a body that is still coming, where it is known."""
    seconds: float = 300.0
    """In which a client must have read a large body."""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    repeated: list[tuple[str, str]] = field(default_factory=list)
    """Headers of a function's own, such as Set-Cookie, whose names may come more than once."""
    release: Callable[[], None] = lambda: None
    """Called once the client has it all, or has gone."""


def json_reply(document: object, status: int = 200) -> Reply:
    """Make a reply of a JSON document."""
    return Reply(status, json.dumps(document, ensure_ascii=False).encode())


def parse_json(body: bytes) -> Any:
    """Parse a request's JSON; raises SerializationError where it is none, or holds no text."""
    try:
        document = json.loads(body)
        if _SURROGATE.search(body):  # half a character, which no store can keep, or a whole one
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"The body is not JSON: {error}") from error
    return document


def parse_query(raw: str) -> Query:
    """Take a raw query apart; raises ValidationError where it has too many parameters."""
    if not raw:
        return Query()
    try:
        return Query(parse_qsl(raw, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError as error:
        raise ValidationError(f"the query has more than {MOST_PARAMETERS} parameters") from error


def refuse_repeated(query: Query, *, allowed: frozenset[str] = frozenset()) -> None:
    """Raise ValidationError where a parameter that has one value came more than once."""
    if len(query) == len(set(query)):
        return
    for name in query:
        if name not in allowed and len(query.getall(name)) > 1:
            raise ValidationError(f"the query parameter {name!r} is repeated")
