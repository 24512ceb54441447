"""The formats of what is pushed, by a route's `payloadFormat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from . import alertmanager, cloudevents, cloudwatch_logs, s3
from .sns import Sns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight_gateway.http.site import Match, Style

    from .pushed import Pushed

__all__ = ["PushFormat", "push_formats"]


class PushFormat(Protocol):
    """A format; the modules beside this one are each one."""

    async def events(self, match: Match) -> list[Pushed]:
        """Return the events of a request; raises HttpError. None is an answer, too."""
        ...


def push_formats(fetch: Callable[[str], Awaitable[bytes]]) -> dict[Style, PushFormat]:
    """Make the formats; `fetch` gets an address of a sender, raising UnavailableError."""
    return {
        "sns": Sns(fetch),
        "s3": s3,
        "cloudevents": cloudevents,
        "alertmanager": alertmanager,
        "cloudwatch-logs": cloudwatch_logs,
    }
