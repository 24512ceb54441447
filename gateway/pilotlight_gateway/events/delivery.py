"""What is still to be told of an event that has ended, as it is kept in the queue.

The outcome is stored before anybody is told of it, so that a destination that is away never makes a
function run again. `record` turns it into what destinations get.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

from .decide import Ended, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Delivery", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to tell it: a destination, which gets a record, or a dead-letter queue."""

    address: str
    dead_letter: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outcome, and who has not been told yet."""

    ended: Ended
    targets: tuple[Target, ...]
    ended_at: float
    attempts: int = 0

    def left(self, targets: Sequence[Target]) -> Delivery:
        """Give what is to be tried again after these were not reached."""
        return replace(self, targets=tuple(targets), attempts=self.attempts + 1)

    def dump(self) -> bytes:
        """Write it down."""
        document = asdict(self)
        if self.ended.response is not None:
            text = self.ended.response.payload.decode(errors="replace")
            document["ended"]["response"]["payload"] = text
        return json.dumps(document).encode()

    @classmethod
    def load(cls, text: bytes) -> Self:
        """Read what `dump` wrote."""
        document = json.loads(text)
        ended = document["ended"]
        response = ended["response"]
        if response is not None:
            response = Response(**response | {"payload": response["payload"].encode()})
        return cls(
            ended=Ended(**ended | {"response": response}),
            targets=tuple(Target(**target) for target in document["targets"]),
            ended_at=document["ended_at"],
            attempts=document["attempts"],
        )
