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
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pilotlight_gateway.event_queue.source_leases import Shard

from .batch_runner import BatchRunner
from .batching import Batcher, Gathered
from .failed_batch import timestamp
from .source import Pause
from .stream import StreamRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord, TopicPartition

    from .failed_batch import LastRun
    from .source import HeldShard, PolledMapping
    from .stream_batches import Batch
    from .windows import Window

__all__ = ["Brokers", "PartitionReader"]

POLL_SECONDS = 0.5
READ_AT_ONCE = 1_000
DEFAULT_RETRIES = 10
"""Where a destination is named and retries are without end (AWS Lambda Developer Guide,
"Configuring error handling controls for Kafka event sources")."""
_TIMESTAMP_TYPES = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}

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


class _Read(NamedTuple):
    offset: int
    record: StreamRecord | None
    """None where no filter let it through."""


class PartitionReader:
    """Reads one partition that this member was assigned."""

    def __init__(
        self,
        polled: PolledMapping,
        shard: HeldShard,
        brokers: Brokers,
        consumer: Any,
        partition: TopicPartition,
    ) -> None:
        self._budget = polled.services.polled_bytes.share(polled.mapping.metadata.namespace)
        self.partition = partition
        self.stopping = asyncio.Event()
        self.position = 0
        """The offset of the first record that is not done with."""
        self._polled = polled
        self._shard = shard
        self._consumer = consumer
        self._committed = 0
        self._batcher: Batcher[StreamRecord] = Batcher(polled.batch_size, polled.window)
        self._read: deque[_Read] = deque()
        self._runner = _Runner(
            polled, brokers, self._part(), window=None, done=self._done, report=self._report
        )

    def _part(self) -> HeldShard:
        """Return the shard under the partition's name, and with an end of its own."""
        lease, partition = self._shard.lease, self.partition
        named = Shard(lease.shard.mapping, f"{partition.topic}-{partition.partition}")
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
            for read in self._read:
                self._give_back(read)

    async def _read_on(self) -> None:
        due = self._batcher.due_at()
        seconds = POLL_SECONDS if due is None else min(POLL_SECONDS, due - time.monotonic())
        found = await self._consumer.getmany(
            self.partition, timeout_ms=max(0, math.ceil(seconds * 1000)), max_records=READ_AT_ONCE
        )
        for record in found.get(self.partition, ()):
            await self._take_in(record)
        await self._commit()

    async def _take_in(self, given: ConsumerRecord) -> None:
        document = event_record(given)
        self._polled.metrics.polled.inc()
        if not self._polled.filters.accepts(document):
            self._polled.metrics.filtered.inc()
            self._read.append(_Read(given.offset, None))
            return
        name = f"{given.topic}-{given.partition}-{given.offset}"
        encoded = json.dumps(document, separators=(",", ":")).encode()
        lent = await self._budget.take(len(encoded))
        record = StreamRecord(name, "", given.timestamp / 1000, document, encoded, lent)
        self._read.append(_Read(given.offset, record))
        self._batcher.add(Gathered(record, len(encoded) + 1, time.monotonic()))

    async def _report(self, result: str) -> None:
        self._shard.report(result)

    async def _done(self, records: Sequence[StreamRecord], window: Window | None) -> None:
        """Commit what is done with: always the records that were read first."""
        del window
        left: set[StreamRecord | None] = set(records)
        while left:
            read = self._read.popleft()
            left.discard(read.record)
            self._give_back(read)
            self.position = read.offset + 1
        await self._commit()

    def _give_back(self, read: _Read) -> None:
        if read.record is not None:
            self._budget.give(read.record.lent)

    async def _commit(self) -> None:
        """Keep how far all is done with, as often as it takes; raises CommitFailedError."""
        while self._read and self._read[0].record is None:
            self.position = self._read.popleft().offset + 1
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


def event_record(given: ConsumerRecord) -> dict[str, Any]:
    """Make of a record what a function sees (Developer Guide, "Using Lambda with Apache Kafka")."""
    document: dict[str, Any] = {
        "topic": given.topic,
        "partition": given.partition,
        "offset": given.offset,
        "timestamp": given.timestamp,
        "timestampType": _TIMESTAMP_TYPES[given.timestamp_type],
    }
    for name, value in (("key", given.key), ("value", given.value)):
        if value is not None:
            document[name] = base64.b64encode(value).decode()
    headers = [{name: list(value or b"")} for name, value in given.headers]
    return document | {"headers": headers}
