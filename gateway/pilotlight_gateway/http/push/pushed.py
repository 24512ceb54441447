"""An event that was pushed, and how it was read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.http.errors import HttpError

if TYPE_CHECKING:
    from pilotlight_gateway.http.site import Match

__all__ = ["Pushed", "malformed", "read_object", "time_of"]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the function shall get."""

    event: dict[str, Any]
    dedup_key: str = ""
    """The same where the sender sends the same again; empty where it does not say."""


def malformed(expected: str) -> HttpError:
    """Return the error of a body that is not what its format says."""
    return HttpError(400, f"{expected} is expected")


def read_object(match: Match, what: str) -> dict[str, Any]:
    """Parse a body; raises HttpError where it is no JSON object."""
    try:
        document = json.loads(match.request.body)
    except (ValueError, RecursionError) as error:
        raise malformed(what) from error
    if not isinstance(document, dict):
        raise malformed(what)
    return document


def time_of(match: Match) -> str:
    """Return the moment of a request, such as 2026-11-28T13:15:27Z."""
    return datetime.fromtimestamp(match.request.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
