"""Subscriptions of CloudWatch Logs: the event that a filter sends, or the batch that is inside.

Amazon CloudWatch Logs User Guide, "Log group-level subscription filters". Log shippers post the
batch as JSON, gzipped (`Content-Encoding: gzip`) or not; who has Lambda's event already, as a relay
of AWS's does, posts that.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.http.errors import HttpError

from .pushed import Pushed, malformed, read_object

if TYPE_CHECKING:
    from pilotlight_gateway.http.site import Match

__all__ = ["events"]

LARGEST_BATCH = 2 << 20
"""Bytes unpacked. CloudWatch Logs itself takes batches of up to one MiB."""
_GZIP = zlib.MAX_WBITS | 16
"""zlib's parameter for the format of RFC 1952."""
_EXPECTED = (
    "a batch of CloudWatch Logs, a JSON object with messageType, logGroup, logStream "
    "and logEvents, or Lambda's event, awslogs.data with that in gzip and Base64,"
)


async def events(match: Match) -> list[Pushed]:
    """Return one event with the batch; none for a test whether somebody listens."""
    document = _read_batch(match)
    if document.get("messageType") == "CONTROL_MESSAGE":
        return []
    ids = [_checked(one).get("id") for one in _log_events(document)]
    batch = _completed(document, match)
    packed = gzip.compress(json.dumps(batch, separators=(",", ":")).encode(), mtime=0)
    event = {"awslogs": {"data": base64.b64encode(packed).decode()}}
    key = [batch["owner"], batch["logGroup"], batch["logStream"], ids]
    return [Pushed(event, json.dumps(key) if ids and all(ids) else "")]


def _read_batch(match: Match) -> dict[str, Any]:
    if (match.request.header("content-encoding") or "").strip().lower() == "gzip":
        return _parsed(_unpacked(match.request.body))
    document = read_object(match, _EXPECTED)
    if "awslogs" not in document:
        return document
    try:
        return _parsed(_unpacked(base64.b64decode(document["awslogs"]["data"], validate=True)))
    except (KeyError, TypeError, binascii.Error, ValueError) as error:
        raise malformed(_EXPECTED) from error


def _unpacked(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP)
    try:
        content = inflater.decompress(packed, LARGEST_BATCH + 1)
    except zlib.error as error:
        raise malformed(_EXPECTED) from error
    if len(content) > LARGEST_BATCH:
        raise HttpError(413, f"at most {LARGEST_BATCH} bytes are expected once unpacked")
    if not inflater.eof or inflater.unused_data:
        raise malformed(_EXPECTED)
    return content


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise malformed(_EXPECTED) from error
    if not isinstance(document, dict):
        raise malformed(_EXPECTED)
    return document


def _log_events(document: dict[str, Any]) -> list[Any]:
    named = all(isinstance(document.get(name), str) for name in ("logGroup", "logStream"))
    found = document.get("logEvents")
    if document.get("messageType") != "DATA_MESSAGE" or not named or not isinstance(found, list):
        raise malformed(_EXPECTED)
    return found


def _checked(event: Any) -> dict[str, Any]:
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("message"), str)
        or not isinstance(event.get("timestamp"), int)
        or not isinstance(event.get("id", ""), str)
    ):
        raise malformed("logEvents, each with a timestamp in ms, a message and perhaps an id,")
    return event


def _completed(document: dict[str, Any], match: Match) -> dict[str, Any]:
    """Add what functions rely on and a shipper may leave out."""
    return {"owner": match.account, "subscriptionFilters": [], **document}
