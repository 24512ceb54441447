"""What a queue is to its poller: messages that are settled one by one, and a client that has them.

`sqs`, `rabbitmq`, `redis_stream` and `nats_stream` are such queues, `queue_poller` polls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RECORDS", "Message", "Queue"]

RECORDS = (b'{"Records":[', b"]}")
"""The frame of most events."""


@dataclass(slots=True, eq=False)
class Message:
    """What a queue gave: it is hidden from others for a while."""

    id: str
    """What a function names it by."""
    handle: str
    """What the queue knows this receipt by."""
    record: dict[str, Any]
    """As the function sees it."""
    group: str | None = None
    """Of those that must stay in order."""
    arrived_at: float = 0.0
    """When its queue took it, in seconds since the epoch; 0 where no rule asks for it."""
    deliveries: int = 1
    """How often its queue has delivered it, this time included."""
    source: Any = None
    """What its queue's client settles it by, if the handle is not enough."""
    encoded: bytes = b""
    received_at: float = 0.0
    hidden_until: float = 0.0
    lent: int = 0
    """Bytes of the gateway's memory that it has."""


class Queue(Protocol):
    """A queue's client; every method raises SourceError."""

    visibility: float
    """Seconds for which a received message is hidden."""
    largest_receive: int
    """Messages that are received at once, at most."""
    frame: tuple[bytes, bytes]
    """What stands before the records of an event, and what behind them."""

    async def receive(self, most: int, wait_seconds: float) -> list[Message]:
        """Return messages, waiting for the first."""
        ...

    async def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages."""
        ...

    async def hide(self, messages: Sequence[Message], seconds: float) -> None:
        """Hide messages from others for so long from now."""
        ...

    async def give_back(self, messages: Sequence[Message], seconds: float) -> None:
        """Let messages that failed appear again after so long from now."""
        ...
