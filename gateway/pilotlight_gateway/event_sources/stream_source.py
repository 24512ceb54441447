"""A stream as the source of a mapping: finds its shards, and has each read in its turn.

The holder of the root lists shards and has them polled, by whatever gateway takes them: a shard
whose parents are all read to their end, and no other, so that records of one key stay in order
where shards split and merge. `shard_reader` reads one.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from .checkpoint import Checkpoint
from .shard_reader import ShardReader
from .source import Pause
from .stream import Position, SlowDownError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pilotlight_gateway.event_queue.source_leases import ShardState

    from .source import HeldShard, PolledMapping
    from .stream import Stream, StreamShard

__all__ = ["StreamSource", "first_shards", "is_anew", "next_shards"]

LIST_SECONDS = 10.0
"""Between two listings of a stream's shards, unless one of them has ended."""
LOOK_SECONDS = 1.0

log = structlog.get_logger()


class StreamSource:
    """The stream of a mapping."""

    def __init__(self, polled: PolledMapping, make: Callable[[PolledMapping], Stream]) -> None:
        self._polled = polled
        self._stream = make(polled)

    async def check(self) -> None:
        """Find the stream."""
        await self._stream.shards()

    async def backlog(self) -> None:
        """Say nothing: a shard's last record tells how far behind it is."""

    async def run(self, shard: HeldShard) -> None:
        """Read a shard, or, of the root, list them."""
        if shard.name:
            await ShardReader(self._polled, self._stream, shard).run()
        else:
            await _ShardLister(self._polled, self._stream, shard).run()


class _ShardLister:
    """What the holder of the root does."""

    def __init__(self, polled: PolledMapping, stream: Stream, root: HeldShard) -> None:
        self._stream = stream
        self._root = root
        spec = polled.mapping.spec
        self._start = (spec.starting_position or "", spec.starting_position_timestamp)
        if root.checkpoint:  # it was reset
            self._start = tuple(json.loads(root.checkpoint))

    async def run(self) -> None:
        """List until the root is given up; raises SourceError."""
        pause = Pause()
        ended, waited = -1, LIST_SECONDS
        while not self._root.stopping.is_set():
            known = await self._known()
            now_ended = sum(one.finished for one in known.values())
            if now_ended != ended or waited >= LIST_SECONDS:
                try:
                    await self._list(known)
                except SlowDownError:
                    await self._root.rest(pause.longer())
                    continue
                self._root.trouble(None)
                ended, waited, pause = now_ended, 0.0, Pause()
            await self._root.rest(LOOK_SECONDS)
            waited += LOOK_SECONDS

    async def _known(self) -> dict[str, ShardState]:
        return {one.name: one for one in await self._root.siblings() if one.name}

    async def _list(self, known: Mapping[str, ShardState]) -> None:
        """Have polled whatever may be, and forget what the stream has forgotten."""
        listed = await self._stream.shards()
        names = {one.name for one in listed}
        if anew := any(is_anew(one, known[one.name]) for one in listed if one.name in known):
            log.warning("stream was made anew", stream=self._stream.arn)
            await self._root.unlist(known)
            known = {}
        if not known and not anew:
            wanted = first_shards(listed, *self._start)
            finished = {one.name for one in listed if one.closed and self._start[0] == "LATEST"}
        else:
            wanted, finished = next_shards(listed, known, *self._start), set()
        gone = [name for name, one in known.items() if one.finished and name not in names]
        if wanted:
            checkpoints = {name: Checkpoint(at).dump() for name, at in wanted.items()}
            await self._root.add(checkpoints, finished)
        if gone:
            await self._root.remove(gone)


def is_anew(shard: StreamShard, state: ShardState) -> bool:
    """Whether a shard is another one than it was: of a stream that was deleted and made again."""
    after = Checkpoint.load(state.checkpoint).position.after
    if after.isdecimal() and shard.start.isdecimal():
        return int(after) < int(shard.start)
    return bool(shard.start) and state.finished and not shard.closed


def first_shards(
    listed: Sequence[StreamShard], start: str, timestamp: str | None
) -> dict[str, Position]:
    """Say where the first shards are read from: of the latest all, else those without a parent."""
    if start == "LATEST":
        return {one.name: Position(latest=True) for one in listed}
    return next_shards(listed, {}, start, timestamp)


def next_shards(
    listed: Sequence[StreamShard],
    known: Mapping[str, ShardState],
    start: str,
    timestamp: str | None,
) -> dict[str, Position]:
    """Say where new shards are read from: those whose parents, if they are there, have ended.

    What a stream gets after it was first listed is read from its oldest record on.
    """
    names = {one.name for one in listed}
    since = datetime.fromisoformat(timestamp).timestamp() if timestamp else None
    at = Position(since=since) if start == "AT_TIMESTAMP" else Position()
    return {
        one.name: at
        for one in listed
        if one.name not in known
        and all(known[parent].finished if parent in known else parent not in names
                for parent in one.parents)
    }  # fmt: skip
