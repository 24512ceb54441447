"""The plain form of an invocation's head: what nearly every client sends, and nothing else.

A head that fits means the same to every reader of HTTP. One that does not is not wrong: it is left
to aiohttp, which knows the rest (`invocation_connection`). So nothing here is ever refused.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from multidict import CIMultiDict, CIMultiDictProxy

__all__ = ["HEADS", "LARGEST_BODY", "LARGEST_HEAD", "PlainHead", "PlainInvoke", "read_head"]

LARGEST_HEAD = 4096
"""Bytes; below every limit that heads have."""
LARGEST_BODY = 1 << 16
"""Bytes; larger ones are read with deadlines and a budget (`bodies`)."""
HEADS = 512
"""Heads that are remembered: clients that do not sign send the same one over and over."""

_NAME = rb"[A-Za-z0-9_.:$%-]+"
_HEAD = re.compile(
    rb"POST (/2015-03-31/functions/" + _NAME + rb"/invocations(?:\?[A-Za-z0-9_.:$%=&-]*)?) "
    rb"HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)+)"
)
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

    raw_path: str
    """The request target."""
    headers: CIMultiDictProxy[str]
    """None of them came twice."""
    length: int
    """Bytes of the body."""

    @property
    def method(self) -> str:
        """The method, as in the plain form it always is."""
        return "POST"


class PlainInvoke(NamedTuple):
    """An invocation that has arrived whole."""

    head: PlainHead
    body: bytes
    source_ip: str = ""
    """Where the connection came from."""


@functools.lru_cache(maxsize=HEADS)
def read_head(head: bytes) -> PlainHead | None:
    """Read a head up to its empty line; None where it is of another form."""
    match = _HEAD.fullmatch(head)
    if match is None:
        return None
    target, lines = match[1].decode(), match[2].decode()
    pairs = [(name, value.lstrip(" ")) for name, _, value in map(_parted, lines.splitlines())]
    names = {name.lower() for name, _ in pairs}
    headers = CIMultiDict(pairs)
    length = headers.get("Content-Length", "")
    if (
        len(names) < len(pairs)
        or not _keeps_alive(headers, names)
        or not _HOST.fullmatch(headers.get("Host", ""))
        or not _LENGTH.fullmatch(length)
    ):
        return None
    return PlainHead(target, CIMultiDictProxy(headers), int(length))


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _keeps_alive(headers: CIMultiDict[str], names: set[str]) -> bool:
    unusual = names & _UNUSUAL
    if unusual == {"connection"}:
        return headers["Connection"].lower() == "keep-alive"
    return not unusual
