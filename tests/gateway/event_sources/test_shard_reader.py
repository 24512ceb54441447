"""How a shard is read where the stream, the function or the queue of failures misbehave."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.budget import ByteBudget
from pilotlight.errors import UnavailableError
from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight_gateway.event_sources.checkpoint import Checkpoint
from pilotlight_gateway.event_sources.shard_reader import ShardReader
from pilotlight_gateway.event_sources.source import HeldShard, SourceError
from pilotlight_gateway.event_sources.stream import (
    ExpiredIteratorError,
    Page,
    Position,
    SlowDownError,
    StreamRecord,
    TrimmedError,
)
from pilotlight_gateway.events.attempt import NotRun, Ran
from pilotlight_gateway.events.delivery import Delivery
from pilotlight_gateway.gateway import MOST_POLLED_BYTES
from pilotlight_gateway.invocation.invocation import LARGEST_EVENT
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.metrics import Metrics
from tests.support.memory_event_queue import memory_source_leases

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Event
    from pilotlight_gateway.event_sources.source import PolledMapping
    from pilotlight_gateway.events.attempt import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

TOLD = {"destination_config": {"on_failure": {"destination": "arn:aws:sqs:r:000000000000:q"}}}


@dataclass
class FakeStream:
    """A shard that ends behind its records; `errors` come first, one a call."""

    texts: list[str]
    errors: list[SourceError] = field(default_factory=list)
    opened: list[Position] = field(default_factory=list)
    page: int = 2
    arn: str = "arn"
    batch_info: str = "KinesisBatchInfo"
    pause: float = 1.0
    precision: float = 1.0
    largest_page: int = 100

    async def shards(self) -> list[Any]:
        return []

    async def iterator(self, shard: str, position: Position) -> str:
        del shard
        self.opened.append(position)
        return str(int(position.after) + 1 if position.after else 0)

    async def read(self, shard: str, iterator: str, most: int) -> Page:
        del shard
        at, to = int(iterator), int(iterator) + min(most, self.page)
        if at and self.errors:
            raise self.errors.pop(0)
        records = [
            StreamRecord(str(number), "k", 1000.0 + number, {"text": self.texts[number]})
            for number in range(at, min(to, len(self.texts)))
        ]
        return Page(records, str(to) if to < len(self.texts) else None, caught_up=False)


class World:
    """A mapping of a shard, a function, and what became of it all."""

    def __init__(self, stream: FakeStream, **spec: Any) -> None:
        self.stream = stream
        self.events: list[dict[str, Any]] = []
        self.answers: list[Outcome] = []
        self.told: list[Event] = []
        self.refusals = 0
        self.troubles: list[SourceError | None] = []
        given = {"starting_position": "TRIM_HORIZON", "batch_size": 2} | spec
        self.mapping = EventSourceMapping(
            metadata=ObjectMeta(name="m", namespace="default", uid="uid"),
            spec=EventSourceMappingSpec(
                function="f", event_source_arn="arn:aws:kinesis:us-east-1:000000000000:stream/s",
                **given,
            ),
        )  # fmt: skip
        self.leases = memory_source_leases()

    async def invoke(self, event: bytes, request_id: str | None = None) -> Outcome:
        del request_id
        self.events.append(json.loads(event))
        return self.answers.pop(0) if self.answers else Ran(b'{"state": {}}', "$LATEST")

    async def enqueue(self, event: Event) -> list[bool]:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("full")
        self.told.append(event)
        return [True]

    def texts(self) -> list[list[str]]:
        return [[one["text"] for one in event["Records"]] for event in self.events]

    async def read(self) -> Checkpoint:
        """Read the shard to its end; returns what is stored of it then."""
        [root] = (await self.leases.hold("g", ["uid"], 60)).leases
        await self.leases.add(root, {"s": ""})
        lease = next(
            one for one in (await self.leases.hold("g", ["uid"], 60)).leases if one.shard.name
        )
        shard = HeldShard(lease, self.leases, lambda _: None, self.troubles.append)
        services = SimpleNamespace(
            polled_bytes=ByteBudget(MOST_POLLED_BYTES), events=SimpleNamespace(enqueue=self.enqueue)
        )
        polled = SimpleNamespace(
            mapping=self.mapping,
            batch_size=self.mapping.spec.batch_size or 100,
            window=self.mapping.spec.maximum_batching_window_in_seconds or 0,
            reference=Reference("default", "000000000000", "us-east-1", "f", None),
            services=services,
            filters=SimpleNamespace(accepts=lambda _: True),
            metrics=Metrics().event_sources.of("default", "m", "f"),
            invoke=self.invoke,
        )
        reader = ShardReader(
            cast("PolledMapping", polled), self.stream, shard, clock=lambda: 2000.0
        )
        await reader.run()
        assert services.polled_bytes.left == MOST_POLLED_BYTES
        [_, stored] = await self.leases.shards("uid")
        assert stored.finished
        return Checkpoint.load(stored.checkpoint)


async def test_an_iterator_that_expired_is_made_anew_behind_what_was_read() -> None:
    """No record twice, none left out, and nobody is told of trouble."""
    world = World(FakeStream(["a", "b", "c"], [ExpiredIteratorError("expired")]))
    stored = await world.read()
    assert world.texts() == [["a", "b"], ["c"]]
    assert world.stream.opened == [Position(), Position(after="1")]
    assert stored.position == Position(after="2")
    assert not any(world.troubles)


async def test_a_source_that_wants_to_be_asked_less_is_no_trouble() -> None:
    """The same iterator goes on after a while; what is away is told of, and that it is back."""
    world = World(FakeStream(["a", "b", "c"], [SlowDownError("slow"), SourceError("away")]))
    await world.read()
    assert world.texts() == [["a", "b"], ["c"]]
    assert [str(one) for one in world.troubles] == ["None", "away", "None"]


async def test_what_the_stream_lost_is_passed_over() -> None:
    """A position that is too old is followed by the oldest record that is still there."""
    world = World(FakeStream(["a", "b", "c"], [TrimmedError("gone")]))
    world.stream.errors.insert(0, ExpiredIteratorError("expired"))
    await world.read()
    assert world.stream.opened[-1] == Position()


async def test_a_failure_is_kept_before_the_shard_goes_on() -> None:
    """Also where the queue is away at first; what is given up names mapping, shard and records."""
    world = World(FakeStream(["a", "b", "c"]), maximum_retry_attempts=0, **TOLD)
    world.answers = [Ran(b"{}", "$LATEST", "Unhandled")]
    world.refusals = 3
    await world.read()
    [event] = world.told
    batch = Delivery.of(event).record.batch
    assert batch is not None
    assert (batch.mapping, batch.shard, batch.member) == ("uid", "s", "KinesisBatchInfo")
    assert (batch.info["startSequenceNumber"], batch.info["endSequenceNumber"]) == ("0", "1")
    assert json.loads(event.payload)["Records"] == [{"text": "a"}, {"text": "b"}]
    assert world.texts() == [["a", "b"], ["c"]]


async def test_what_did_not_run_waits_without_a_retry_to_spare() -> None:
    """The same batch, until it runs."""
    world = World(FakeStream(["a", "b"]), maximum_retry_attempts=0, **TOLD)
    world.answers = [NotRun("throttled", throttled=True)] * 5
    await world.read()
    assert world.texts() == [["a", "b"]] * 6
    assert world.told == []


async def test_a_window_ends_early_where_its_state_is_too_large_or_its_shard_ends() -> None:
    """With the state that it has come to; the next begins without one."""
    world = World(FakeStream(["a", "b", "c", "d"]), tumbling_window_in_seconds=500)
    large = {"sum": "x" * (1 << 20)}
    world.answers = [
        Ran(json.dumps({"state": large}).encode(), "$LATEST"), Ran(b"null", "$LATEST"),
        Ran(b'{"state": {"sum": 2}}', "$LATEST"),
    ]  # fmt: skip
    stored = await world.read()
    assert [
        (
            len(one["Records"]), one["state"] == large, one["isFinalInvokeForWindow"],
            one["isWindowTerminatedEarly"],
        )
        for one in world.events
    ] == [(2, False, False, False), (0, True, True, True), (2, False, False, False),
          (0, False, True, False)]  # fmt: skip
    assert world.events[2]["state"] == {}
    assert world.events[3]["state"] == {"sum": 2}
    assert stored.window is None


async def test_a_batch_never_exceeds_an_invocation() -> None:
    """Records that would be more than 6 MB together come in several events, each as Lambda's."""
    stream = FakeStream(["x" * 1_200_000] * 8, page=8)
    world = World(stream, batch_size=100, maximum_batching_window_in_seconds=10)
    await world.read()
    assert [len(event["Records"]) for event in world.events] == [5, 3]
    assert all(len(json.dumps(event)) <= LARGEST_EVENT for event in world.events)
