"""Which gateway polls which part of which event source, and how far it has got.

What is leased is a shard: of a queue the whole (`ROOT`), of a stream each of its shards beside the
root, whose holder lists them. A lease has an epoch, which every change of the shard names, so that
a gateway that was late or cut off undoes nothing. All gateways that live get equal shares; who
dies loses its own after the seconds that it asked for, by the database's clock.

Each operation is a generator of statements, which both databases run inside one transaction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from pilotlight.errors import PilotlightError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping, Sequence

__all__ = [
    "ROOT",
    "Holding",
    "LostShardError",
    "Shard",
    "ShardLease",
    "ShardState",
    "SourceLeases",
    "Statements",
]

T = TypeVar("T")
Statements: TypeAlias = "Generator[tuple[Any, ...], Sequence[Sequence[Any]], T]"
"""Yields a statement with its values, is sent its rows, and returns the outcome."""

ROOT = ""
"""The shard that every mapping has."""


class Shard(NamedTuple):
    """A part of a mapping's source."""

    mapping: str
    """The mapping's uid."""
    name: str


@dataclass(frozen=True, slots=True)
class ShardLease:
    """The right to poll a shard, for as long as it is renewed."""

    shard: Shard
    holder: str
    epoch: int
    checkpoint: str
    """How far the shard was read when the lease was read."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a gateway holds, and how much of it is more than its share."""

    leases: list[ShardLease]
    excess: int


@dataclass(frozen=True, slots=True)
class ShardState:
    """How a shard stands."""

    name: str
    holder: str
    """Empty where nobody polls it now."""
    checkpoint: str
    finished: bool


class LostShardError(PilotlightError):
    """A shard was changed by who does not hold it any more."""

    code = "LostShard"
    status = 409

    def __init__(self, lease: ShardLease) -> None:
        super().__init__(
            f"shard {lease.shard.name!r} of mapping {lease.shard.mapping}: the lease of epoch "
            f"{lease.epoch} is not in force any more"
        )


class _Run(Protocol):
    """Runs the statements of an operation in one transaction; raises UnavailableError."""

    async def __call__(self, statements: Statements[T], /) -> T:
        """Return the operation's outcome."""
        ...


class SourceLeases:
    """The leases in one database; every method may raise UnavailableError, and then did nothing."""

    def __init__(self, run: _Run, *, clock: str) -> None:
        """`clock` is the statement that says the database's time, in seconds since the epoch."""
        self._run = run
        self._clock = clock

    async def hold(
        self, holder: str, mappings: Sequence[str], seconds: float, *, take: bool = True
    ) -> Holding:
        """Keep what a gateway holds of mappings for so long, and take of what is free its share.

        Who does not `take` is about to leave, and is counted no more.
        """
        return await self._run(_hold(self._clock, holder, mappings, seconds, take=take))

    async def save(self, lease: ShardLease, checkpoint: str, *, finished: bool = False) -> None:
        """Keep how far a shard has been read; raises LostShardError."""
        if not await self._run(_save(lease, checkpoint, finished=finished)):
            raise LostShardError(lease)

    async def add(
        self, root: ShardLease, shards: Mapping[str, str], finished: Collection[str] = ()
    ) -> None:
        """Make shards, each with its first checkpoint, where they are not; raises LostShardError.

        `root` is the lease of their mapping's root. Those that are `finished` are never held.
        """
        if not await self._run(_add(root, shards, finished)):
            raise LostShardError(root)

    async def remove(self, root: ShardLease, shards: Collection[str]) -> None:
        """Throw away shards that the source has no more; raises LostShardError."""
        if not await self._run(_remove(root, shards)):
            raise LostShardError(root)

    async def unlist(self, root: ShardLease, shards: Collection[str]) -> None:
        """Take shards for those of another stream: whoever holds one loses it.

        They may be added again. Raises LostShardError.
        """
        if not await self._run(_unlist(root, shards)):
            raise LostShardError(root)

    async def reset(self, mapping: str, checkpoint: str) -> None:
        """Have a mapping begin anew: its root gets a checkpoint, and lists its shards again.

        Who holds any of it loses it.
        """
        await self._run(_reset(mapping, checkpoint))

    async def shards(self, mapping: str) -> list[ShardState]:
        """Return a mapping's shards by name, the root first."""
        return await self._run(_shards(self._clock, mapping))

    async def gateways(self) -> int:
        """Say among how many gateways shards are shared."""
        return await self._run(_gateways(self._clock))

    async def release(self, lease: ShardLease) -> None:
        """Let others take a shard; one that was lost is left as it is."""
        await self._run(_release(lease))

    async def leave(self, holder: str) -> None:
        """Let others take all that a gateway holds: it takes nothing more."""
        await self._run(_leave(holder))

    async def forget(self, mapping: str) -> None:
        """Throw away what is kept of a mapping that is gone."""
        await self._run(_forget(mapping))


_ANNOUNCE = """
INSERT INTO source_gateways (holder, until) VALUES ($1, $2)
ON CONFLICT (holder) DO UPDATE SET until = excluded.until
"""
_ROOT = "INSERT INTO source_leases (mapping, shard) VALUES ($1, '') ON CONFLICT DO NOTHING"
_ROWS = """
SELECT mapping, shard, holder, epoch, until FROM source_leases WHERE finished = 0
ORDER BY mapping, shard
"""
_UNLIST = (
    "UPDATE source_leases SET holder = '', until = 0, epoch = epoch + 1, checkpoint = '', "
    "finished = $1 WHERE mapping = $2"
)
"""Shards stay, unlisted, for their epochs: who holds one must not find it his again."""
_UNLISTED = 2
"""Of `finished`: the root has not listed the shard since it was reset."""
_ADD = f"""
INSERT INTO source_leases (mapping, shard, checkpoint, finished) VALUES ($1, $2, $3, $4)
ON CONFLICT (mapping, shard) DO UPDATE
SET checkpoint = excluded.checkpoint, finished = excluded.finished
WHERE source_leases.finished = {_UNLISTED}
"""  # noqa: S608  own names
_TAKE = """
UPDATE source_leases SET holder = $1, until = $2, epoch = $3
WHERE mapping = $4 AND shard = $5 AND epoch = $6
RETURNING mapping, shard, epoch, checkpoint
"""


def _hold(
    clock: str, holder: str, mappings: Sequence[str], seconds: float, *, take: bool
) -> Statements[Holding]:
    [[now]] = yield (clock,)
    until = now + seconds
    gateways = yield from _announce(holder, now, until if take else now)
    for mapping in mappings:
        yield _ROOT, mapping
    rows = yield (_ROWS,)
    wanted = set(mappings)
    known = [row for row in rows if row[0] in wanted]
    mine = [row for row in known if row[2] == holder]
    free = [row for row in known if row[2] != holder and (not row[2] or row[4] <= now)]
    share = math.ceil(len(known) / max(1, gateways))
    taken = free[: max(0, share - len(mine))] if take else []
    leases: list[Any] = []
    for row, step in [(row, 0) for row in mine] + [(row, 1) for row in taken]:
        # Whoever took it meanwhile has made its epoch another one.
        leases += yield _TAKE, holder, until, row[3] + step, row[0], row[1], row[3]
    held = [ShardLease(Shard(one[0], one[1]), holder, one[2], one[3]) for one in leases]
    return Holding(held, max(0, len(held) - share))


def _announce(holder: str, now: float, until: float) -> Statements[int]:
    """Say until when a gateway lives, and return how many do."""
    yield _ANNOUNCE, holder, until
    yield "DELETE FROM source_gateways WHERE until <= $1", now
    [[gateways]] = yield ("SELECT count(*) FROM source_gateways",)
    return int(gateways)


def _save(lease: ShardLease, checkpoint: str, *, finished: bool) -> Statements[bool]:
    rows = yield (
        ("UPDATE source_leases SET checkpoint = $1, finished = $2 "
        "WHERE mapping = $3 AND shard = $4 AND holder = $5 AND epoch = $6 RETURNING shard"),
        checkpoint, int(finished), *lease.shard, lease.holder, lease.epoch,
    )  # fmt: skip
    return bool(rows)


def _add(
    root: ShardLease, shards: Mapping[str, str], finished: Collection[str]
) -> Statements[bool]:
    held = yield from _is_held(root)
    for name, checkpoint in shards.items() if held else ():
        yield _ADD, root.shard.mapping, name, checkpoint, int(name in finished)
    return held


def _remove(root: ShardLease, shards: Collection[str]) -> Statements[bool]:
    held = yield from _is_held(root)
    for name in shards if held else ():
        yield (
            "DELETE FROM source_leases WHERE mapping = $1 AND shard = $2 AND shard <> ''",
            root.shard.mapping, name,
        )  # fmt: skip
    return held


def _unlist(root: ShardLease, shards: Collection[str]) -> Statements[bool]:
    held = yield from _is_held(root)
    for name in shards if held else ():
        yield f"{_UNLIST} AND shard = $3 AND shard <> ''", _UNLISTED, root.shard.mapping, name
    return held


def _is_held(lease: ShardLease) -> Statements[bool]:
    rows = yield (
        ("SELECT shard FROM source_leases "
        "WHERE mapping = $1 AND shard = $2 AND holder = $3 AND epoch = $4"),
        *lease.shard, lease.holder, lease.epoch,
    )  # fmt: skip
    return bool(rows)


def _reset(mapping: str, checkpoint: str) -> Statements[None]:
    yield _UNLIST, _UNLISTED, mapping
    yield _ROOT, mapping
    yield (
        "UPDATE source_leases SET checkpoint = $1, finished = 0 WHERE mapping = $2 AND shard = ''",
        checkpoint, mapping,
    )  # fmt: skip


def _shards(clock: str, mapping: str) -> Statements[list[ShardState]]:
    [[now]] = yield (clock,)
    rows = yield (
        (
            "SELECT shard, holder, until, checkpoint, finished FROM source_leases "
            "WHERE mapping = $1 AND finished <> $2 ORDER BY shard"
        ),
        mapping,
        _UNLISTED,
    )
    return [
        ShardState(name, holder if until > now else "", checkpoint, bool(finished))
        for name, holder, until, checkpoint, finished in rows
    ]


def _gateways(clock: str) -> Statements[int]:
    [[now]] = yield (clock,)
    [[gateways]] = yield ("SELECT count(*) FROM source_gateways WHERE until > $1", now)
    return int(gateways)


def _release(lease: ShardLease) -> Statements[None]:
    yield (
        ("UPDATE source_leases SET holder = '', until = 0 "
        "WHERE mapping = $1 AND shard = $2 AND holder = $3 AND epoch = $4"),
        *lease.shard, lease.holder, lease.epoch,
    )  # fmt: skip


def _leave(holder: str) -> Statements[None]:
    yield "DELETE FROM source_gateways WHERE holder = $1", holder
    yield "UPDATE source_leases SET holder = '', until = 0 WHERE holder = $1", holder


def _forget(mapping: str) -> Statements[None]:
    yield "DELETE FROM source_leases WHERE mapping = $1", mapping
