"""The plain form of a request's head: what nearly every client sends, and nothing else.

A head that fits means the same to every reader of HTTP. One that does not is not wrong: it is left
to aiohttp, which knows the rest (`plain_connection`). So nothing here is ever refused.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import HttpVersion, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy

__all__ = ["HEADS", "LARGEST_BODY", "LARGEST_HEAD", "PlainHead", "PlainRequest", "read_head"]

LARGEST_HEAD = 4096
"""Bytes; below every limit that heads have."""
LARGEST_BODY = 1 << 16
"""Bytes; larger ones are read with deadlines and a budget (`bodies`)."""
HEADS = 512
"""Heads that are remembered: clients that do not sign send the same one over and over."""

_HEAD = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE|OPTIONS) "
    rb"(/(?!/)[A-Za-z0-9_.:$%~@!*',;=+()/-]*(?:\?[A-Za-z0-9_.:$%~@!*',;=+()/?&-]*)?) "
    rb"HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)+)"
)
_INVOKE = re.compile(
    r"/2015-03-31/functions/[A-Za-z0-9_.:$%-]+/invocations(?:\?[A-Za-z0-9_.:$%=&-]*)?"
)
_MAY_SAY_NO_LENGTH = frozenset({"GET", "DELETE", "OPTIONS"})
"""Methods of which nobody expects a body."""
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d+)?|\[[0-9A-Fa-f:.]+\](?::\d+)?")
_LENGTH = re.compile(r"0|[1-9]\d{0,6}")
_UNUSUAL = frozenset({
    "connection", "content-encoding", "expect", "http2-settings", "keep-alive", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that say how a request is framed, or what becomes of its connection."""


@dataclass(frozen=True, slots=True, eq=False)
class PlainHead:
    """A head in the plain form; to `pipeline` it is a request's like another."""

    method: str
    raw_path: str
    """The request target."""
    headers: CIMultiDictProxy[str]
    """None of them came twice."""
    length: int
    """Bytes of the body."""
    is_invocation: bool
    """Whether it is Lambda's `Invoke`, as far as its target says."""


class PlainRequest(NamedTuple):
    """A request that has arrived whole; of its head it says what aiohttp's would."""

    head: PlainHead
    body: bytes
    remote: str = ""
    """Where the connection came from."""

    @property
    def method(self) -> str:
        """The method."""
        return self.head.method

    @property
    def raw_path(self) -> str:
        """The request target."""
        return self.head.raw_path

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers, none of which came twice."""
        return self.head.headers

    @property
    def sha256(self) -> str:
        """The body's hash, hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def scheme(self) -> str:
        """How clients reach the port itself: whoever ends TLS before it says so in headers."""
        return "http"

    @property
    def version(self) -> HttpVersion:
        """The version, as it always is."""
        return HttpVersion11


@functools.lru_cache(maxsize=HEADS)
def read_head(head: bytes) -> PlainHead | None:
    """Read a head up to its empty line; None where it is of another form."""
    match = _HEAD.fullmatch(head)
    if match is None:
        return None
    method, target, lines = match[1].decode(), match[2].decode(), match[3].decode()
    pairs = [(name, value.lstrip(" ")) for name, _, value in map(_parted, lines.splitlines())]
    names = {name.lower() for name, _ in pairs}
    headers = CIMultiDict(pairs)
    length = headers.get("Content-Length", "0" if method in _MAY_SAY_NO_LENGTH else "")
    if (
        len(names) < len(pairs)
        or not _keeps_alive(headers, names)
        or not _HOST.fullmatch(headers.get("Host", ""))
        or not _LENGTH.fullmatch(length)
    ):
        return None
    is_invocation = method == "POST" and _INVOKE.fullmatch(target) is not None
    return PlainHead(method, target, CIMultiDictProxy(headers), int(length), is_invocation)


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _keeps_alive(headers: CIMultiDict[str], names: set[str]) -> bool:
    unusual = names & _UNUSUAL
    if unusual == {"connection"}:
        return headers["Connection"].lower() == "keep-alive"
    return not unusual
