"""The payload formats by style: how a request becomes an event, and an answer a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from . import payload_alb, payload_v1, payload_v2

if TYPE_CHECKING:
    from .message import HttpResponse
    from .site import Match, Style

__all__ = ["FORMATS", "PayloadFormat"]


class PayloadFormat(Protocol):
    """A payload format; each module beside this one is one."""

    def event(self, match: Match) -> dict[str, Any]:
        """Return the event of a match's request."""
        ...

    def response(self, answer: bytes) -> HttpResponse:
        """Read a function's answer; raises HttpError where it is malformed."""
        ...


FORMATS: dict[Style, PayloadFormat] = {
    "url": payload_v2,
    "2.0": payload_v2,
    "1.0": payload_v1,
    "alb": payload_alb,
}
