"""S3's notifications, as MinIO and versitygw post them.

Amazon S3 User Guide, "Event message structure". Both send AWS's records but for a few members:
event names with `s3:` before, a source or region of their own, members that AWS does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .pushed import Pushed, malformed, read_object

if TYPE_CHECKING:
    from pilotlight_gateway.http.site import Match

__all__ = ["events"]

_EXPECTED = "a notification of S3: a JSON object with Records"
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
    if not isinstance(record, dict) or not isinstance(record.get("s3"), dict):
        raise malformed(_EXPECTED)
    kept = {name: record[name] for name in _MEMBERS if record.get(name) is not None}
    return kept | {
        "eventSource": "aws:s3",
        "awsRegion": record.get("awsRegion") or region,
        "eventName": str(record.get("eventName", "")).removeprefix("s3:"),
    }
