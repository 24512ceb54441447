"""How far a shard has been read: what is stored with its lease, and what it is made of. Pure."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .stream import Position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .stream import StreamRecord

__all__ = ["Checkpoint", "Progress"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is stored of a shard."""

    position: Position = field(default_factory=Position)
    window: dict[str, Any] | None = None
    """The tumbling window that is open: its start and its state."""
    result: str = ""
    """What became of the last batch."""
    arrived_at: float = 0.0
    """When the stream took the last record that is done with."""
    done_at: float = 0.0
    """When it was done with; seconds since the epoch, both."""

    def dump(self) -> str:
        """Write it down; what is as it was at first is left out."""
        document = asdict(self)
        document["position"] = {name: one for name, one in document["position"].items() if one}
        return json.dumps({name: one for name, one in document.items() if one})

    @classmethod
    def load(cls, text: str) -> Checkpoint:
        """Read what `dump` wrote."""
        document = json.loads(text or "{}")
        position = Position(**document.pop("position", {}))
        return cls(position, **document)


class Progress:
    """Which of the records that were read are done with: they end in any order."""

    def __init__(self) -> None:
        self._read: deque[StreamRecord] = deque()
        self._done: set[StreamRecord] = set()

    def __len__(self) -> int:
        """How many are not done with, or wait for one before them."""
        return len(self._read)

    def read(self, record: StreamRecord) -> None:
        """Take note of a record, the latest of all."""
        self._read.append(record)

    def done(self, records: Iterable[StreamRecord]) -> StreamRecord | None:
        """Take note that records are done with; returns the last before which all are, if new."""
        self._done.update(records)
        last: StreamRecord | None = None
        while self._read and self._read[0] in self._done:
            last = self._read.popleft()
            self._done.discard(last)
        return last
