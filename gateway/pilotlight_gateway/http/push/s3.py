"""S3's notifications, as MinIO and versitygw post them.

Amazon S3 User Guide, "Event message structure". Both send AWS's records but for a few members:
event names with `s3:` before, a source or region of their own, members that AWS does not have; and
versitygw (1.8) keys as they are, which AWS and MinIO URL-encode: a handler decodes what it gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from .pushed import Pushed, malformed, read_object

if TYPE_CHECKING:
    from pilotlight_gateway.http.site import Match

__all__ = ["events"]

_EXPECTED = "a notification of S3: a JSON object with Records"
_VERSITYGW = "webhook-global"
"""By which its records are known; a bucket's own configuration has a name of its maker's."""
_MEMBERS = (
    "eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity",
    "requestParameters", "responseElements", "s3", "glacierEventData",
)  # fmt: skip


async def events(match: Match) -> list[Pushed]:
    """Return one event with all records; none for a test whether somebody listens."""
    if not match.request.body:
        return []
    document = read_object(match, _EXPECTED)
    if document.get("Event") == "s3:TestEvent":
        return []
    records = document.get("Records")
    if not isinstance(records, list) or not records:
        raise malformed(_EXPECTED)
    return [Pushed({"Records": [_record(one, match.region) for one in records]})]


def _record(record: Any, region: str) -> dict[str, Any]:
    stored = _member(record, "s3")
    kept = {name: record[name] for name in _MEMBERS if record.get(name) is not None}
    if not str(record.get("eventName", "")).removeprefix("s3:").startswith("ObjectRestore"):
        kept.pop("glacierEventData", None)  # versitygw always sends it, empty
    return kept | {
        "eventSource": "aws:s3",
        "awsRegion": record.get("awsRegion") or region,
        "eventName": str(record.get("eventName", "")).removeprefix("s3:"),
        "userIdentity": _identity(record.get("userIdentity")),
        "s3": stored | {"bucket": _bucket(stored), "object": _object(stored)},
    }


def _bucket(stored: dict[str, Any]) -> dict[str, Any]:
    bucket = _member(stored, "bucket", "name")
    return bucket | {
        "ownerIdentity": _identity(bucket.get("ownerIdentity")),
        "arn": f"arn:aws:s3:::{bucket['name']}",  # versitygw's names the object
    }


def _object(stored: dict[str, Any]) -> dict[str, Any]:
    told = {name: one for name, one in _member(stored, "object", "key").items() if one is not None}
    if stored.get("configurationId") == _VERSITYGW:
        told["key"] = quote_plus(told["key"], safe="/", errors="replace")
    if isinstance(told.get("eTag"), str):
        told["eTag"] = told["eTag"].strip('"')
    return told


def _identity(given: Any) -> dict[str, Any]:
    """Return who it was; versitygw writes PrincipalId."""
    found = given if isinstance(given, dict) else {}
    return {"principalId": found.get("principalId") or found.get("PrincipalId") or ""}


def _member(document: Any, name: str, text: str = "") -> dict[str, Any]:
    """Return an object of an object, whose member `text` is a text."""
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, dict) or (text and not isinstance(found.get(text), str)):
        raise malformed(_EXPECTED)
    return found
