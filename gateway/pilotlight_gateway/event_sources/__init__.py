"""What invokes functions by itself: a source of events is a file here and a line in `SOURCES`.

A source runs beside the gateway's requests for as long as the gateway lives, and calls `Invoker` as
every other way into it does. There is none yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight_gateway.services import Services

__all__ = ["SOURCES", "EventSource"]


class EventSource(Protocol):
    """Polls, or is pushed to, and invokes."""

    async def run(self) -> None:
        """Serve for ever; cancelled when the gateway ends."""
        ...


SOURCES: dict[str, Callable[[Services], EventSource]] = {}
"""What makes each source of the gateway's parts, by its name."""
