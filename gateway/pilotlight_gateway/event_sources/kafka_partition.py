"""Reads a partition: batches in order, each retried until it is done with, then committed.

What becomes of a batch that fails is as with other streams (`batch_runner`); what is Kafka's own is
the event, which names partitions, and what a destination is told of a batch.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pilotlight_gateway.event_queue.source_leases import Shard

from .batch_runner import BatchRunner
from .batching import Batcher, Gathered
from .failed_batch import timestamp
from .source import Pause, Turn
from .stream import StreamRecord
from .stream_batches import DEFAULT_RETRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import ConsumerRecord, TopicPartition

    from .failed_batch import LastRun
    from .source import HeldShard, PolledMapping
    from .stream_batches import Batch
    from .windows import Window

__all__ = ["Brokers", "PartitionReader"]

POLL_SECONDS = 0.5
READ_AT_ONCE = 1_000
_TIMESTAMP_TYPES = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}

_NO_DOCUMENT: dict[str, Any] = {}
"""Nobody reads it: what a function sees is written at once."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Brokers:
    """What events say of where records come from."""

    arn: str
    """Of MSK; else empty."""
    servers: str
    batch_info: str = "KafkaBatchInfo"

    def members(self) -> dict[str, str]:
        """Return what an event has beside its records."""
        named = {"eventSourceArn": self.arn} if self.arn else {}
        source = "aws:kafka" if self.arn else "SelfManagedKafka"
        return {"eventSource": source, **named, "bootstrapServers": self.servers}


class PartitionReader:
    """Reads one partition that this member was assigned."""

    def __init__(  # noqa: PLR0913  its collaborators
        self,
        polled: PolledMapping,
        shard: HeldShard,
        brokers: Brokers,
        consumer: Any,
        partition: TopicPartition,
        *,
        fetched: Callable[[], None],
    ) -> None:
        """`fetched` is told that records came."""
        self._budget = polled.services.polled_bytes.share(polled.mapping.metadata.namespace)
        self.partition = partition
        self._name = f"{partition.topic}-{partition.partition}"
        self.stopping = asyncio.Event()
        self.position = 0
        """The offset of the first record that is not done with."""
        self._polled = polled
        self._shard = shard
        self._consumer = consumer
        self._fetched = fetched
        self._committed = 0
        self._batcher: Batcher[StreamRecord] = Batcher(polled.batch_size, polled.window)
        self._read: deque[tuple[int, StreamRecord | None]] = deque()
        """Offsets and records; None where no filter let it through."""
        self._runner = _Runner(
            polled, brokers, self._part(), window=None, done=self._done, report=self._report
        )

    def _part(self) -> HeldShard:
        """Return the shard under the partition's name, and with an end of its own."""
        lease = self._shard.lease
        named = Shard(lease.shard.mapping, self._name)
        return replace(self._shard, lease=replace(lease, shard=named), stopping=self.stopping)

    async def run(self) -> None:
        """Read until the partition goes to another member; raises KafkaError."""
        self.position = self._committed = await self._consumer.position(self.partition)
        try:
            while not self.stopping.is_set():
                batch = self._batcher.take(time.monotonic())
                if batch is not None:
                    await self._runner.run(batch)
                else:
                    await self._read_on()
        except (CommitFailedError, IllegalStateError):
            self.stopping.set()  # another member has the partition now
        finally:
            self._budget.give(sum(record.lent for _, record in self._read if record))

    async def _read_on(self) -> None:
        due = self._batcher.due_at()
        seconds = POLL_SECONDS if due is None else min(POLL_SECONDS, due - time.monotonic())
        found = await self._consumer.getmany(
            self.partition, timeout_ms=max(0, math.ceil(seconds * 1000)), max_records=READ_AT_ONCE
        )
        if records := found.get(self.partition):
            self._fetched()
            await self._take_in(records)
        await self._commit()

    async def _take_in(self, given: Sequence[ConsumerRecord]) -> None:
        """Take what a fetch gave: bounded as that is, it is held before memory is lent for it."""
        metrics, filters, turn = self._polled.metrics, self._polled.filters, Turn()
        accepted: list[StreamRecord] = []
        for one in given:  # a backlog has hundreds of thousands: each step counts here
            encoded, record = event_record(one).encode(), None
            if not filters or filters.accepts(json.loads(encoded)):
                name = f"{self._name}-{one.offset}"
                record = StreamRecord(name, "", one.timestamp / 1000, _NO_DOCUMENT, encoded)
                accepted.append(record)
            self._read.append((one.offset, record))
            if filters:
                await turn.end()
        metrics.polled.inc(len(given))
        metrics.filtered.inc(len(given) - len(accepted))
        if accepted:
            # The last to be done with gives back what all of them have.
            accepted[-1].lent = await self._budget.take(sum(len(one.encoded) for one in accepted))
        now = time.monotonic()
        for record in accepted:
            self._batcher.add(Gathered(record, len(record.encoded) + 1, now))

    async def _report(self, result: str) -> None:
        self._shard.report(result)

    async def _done(self, records: Sequence[StreamRecord], window: Window | None) -> None:
        """Commit what is done with: always the records that were read first."""
        del window
        left = len(records)
        while left:
            offset, record = self._read.popleft()
            left -= record is not None
            self.position = offset + 1
        self._budget.give(sum(one.lent for one in records))
        await self._commit()

    async def _commit(self) -> None:
        """Keep how far all is done with, as often as it takes; raises CommitFailedError."""
        while self._read and self._read[0][1] is None:
            self.position = self._read.popleft()[0] + 1
        pause = Pause()
        while self.position != self._committed:
            try:
                await self._consumer.commit({self.partition: self.position})
            except (CommitFailedError, IllegalStateError):
                raise
            except KafkaError as error:
                log.warning("offset is not committed", error=str(error))
                await asyncio.sleep(pause.longer())
            else:
                self._committed = self.position


class _Runner(BatchRunner):
    """Runs batches of a partition: events and failures are told as Lambda tells those of Kafka."""

    too_large: ClassVar[str] = "MaximumPayloadSizeExceeded"

    def __init__(
        self, polled: PolledMapping, brokers: Brokers, shard: HeldShard, **options: Any
    ) -> None:
        super().__init__(polled, brokers, shard, **options)
        self._brokers = brokers
        if polled.mapping.spec.destination_config is not None and self._rules.retries < 0:
            self._rules = replace(self._rules, retries=DEFAULT_RETRIES)

    def _event(self, batch: Batch, last: object) -> bytes:
        del last  # there are no windows
        members = json.dumps(self._brokers.members(), separators=(",", ":")).encode()
        name = json.dumps(self._shard.name).encode()
        records = b",".join(one.encoded for one in batch.records)
        return members[:-1] + b',"records":{' + name + b":[" + records + b"]}}"

    def _info(self, records: Sequence[StreamRecord], last: LastRun) -> dict[str, Any]:
        members = self._brokers.members()
        del members["eventSource"]
        first, final = records[0], records[-1]
        told = {
            "firstRecordOffset": first.sequence.rpartition("-")[2],
            "lastRecordOffset": final.sequence.rpartition("-")[2],
            "firstRecordTimestamp": timestamp(first.arrived_at),
            "lastRecordTimestamp": timestamp(final.arrived_at),
        }
        return {
            "batchSize": len(records), **members, "payloadSize": len(last.payload),
            "recordsInfo": {self._shard.name: told},
        }  # fmt: skip


def event_record(given: ConsumerRecord) -> str:
    """Write a record as a function sees it (Developer Guide, "Using Lambda with Apache Kafka").

    Written by hand, in a third of the time that json takes: a topic's name and Base64 need no
    escapes.
    """
    key = "" if given.key is None else f',"key":"{_base64(given.key)}"'
    value = "" if given.value is None else f',"value":"{_base64(given.value)}"'
    headers = [{name: list(content or b"")} for name, content in given.headers]
    return (
        f'{{"topic":"{given.topic}","partition":{given.partition},"offset":{given.offset},'
        f'"timestamp":{given.timestamp},"timestampType":"{_TIMESTAMP_TYPES[given.timestamp_type]}"'
        f'{key}{value},"headers":{json.dumps(headers) if headers else "[]"}}}'
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
