"""Topics of Kafka: each gateway's share of the partitions, as the consumer group says.

A mapping's root and further shards are members of its group, one for each gateway as far as there
are partitions; Kafka spreads the partitions over them, and gives a dead member's to others. Each
partition is read by a `PartitionReader`, in order, and what it got through is committed.

The client is aiokafka: it lives in the gateway's loop, where confluent-kafka brings threads and a C
library that connects wherever brokers say; here each address is judged before.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from .kafka_cluster import KafkaCluster, source_error
from .kafka_partition import Brokers, PartitionReader
from .source import Backlog, Pause, SourceError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .source import HeldShard, PolledMapping

__all__ = ["KafkaSource"]

SESSION_SECONDS = 10.0
"""After which a member that is silent is dead to its group."""
IDLE_FETCH_MS = 5_000
"""A broker that has nothing new is asked once in that time."""
BUSY_FETCH_MS = 100
"""While records come. One request asks a broker for all partitions but those whose last records
wait here still: these are asked for only once it is answered."""
WATCH_SECONDS = 5.0
"""Between two looks at how far behind the mapping is, and whether brokers answer."""
GRACE_SECONDS = 10.0
"""Beyond the function's timeout, for a batch that runs when partitions move."""

log = structlog.get_logger()


class KafkaSource:
    """The topic of a mapping."""

    def __init__(self, polled: PolledMapping) -> None:
        self._polled = polled
        self._topic = polled.mapping.spec.topics[0]

    async def check(self) -> None:
        """Find the topic with the mapping's credentials."""
        await (await KafkaCluster.of(self._polled)).partitions(self._topic)

    async def backlog(self) -> Backlog:
        """Ask how far the group is behind, over all partitions, without being a member of it."""
        cluster = await KafkaCluster.of(self._polled)
        partitions = [
            TopicPartition(self._topic, one) for one in range(await cluster.partitions(self._topic))
        ]
        consumer = AIOKafkaConsumer(**cluster.options, group_id=_group(self._polled))
        cluster.guard(consumer._client)  # noqa: SLF001  aiokafka has no hook
        try:
            await consumer.start()
            ends = await consumer.end_offsets(partitions)
            begun = await consumer.beginning_offsets(partitions)
            done = {one: await consumer.committed(one) for one in partitions}
        except KafkaError as error:
            raise source_error(error, "Kafka", self._topic) from error
        finally:
            await consumer.stop()
        if None in done.values():
            return Backlog(None)  # nobody has polled yet
        return Backlog(sum(ends[one] - max(done[one], begun[one]) for one in partitions))

    async def run(self, shard: HeldShard) -> None:
        """Be a member of the group, whatever happens to its brokers."""
        pause = Pause()
        while not shard.stopping.is_set():
            try:
                cluster = await KafkaCluster.of(self._polled)
                partitions = await cluster.partitions(self._topic)
                if not shard.name:
                    await self._add_members(shard, partitions)
                pause = Pause()
                await _Member(self._polled, cluster, shard).run()
            except (SourceError, KafkaError) as error:
                shard.trouble(source_error(error, "Kafka", self._topic))
                await shard.rest(pause.longer())

    async def _add_members(self, root: HeldShard, partitions: int) -> None:
        wanted = min(partitions, await root.leases.gateways())
        await root.add({f"member-{number}": "" for number in range(1, wanted)})


class _Member(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """A member of the mapping's consumer group."""

    def __init__(self, polled: PolledMapping, cluster: KafkaCluster, shard: HeldShard) -> None:
        spec = polled.mapping.spec
        self._polled = polled
        self._cluster = cluster
        self._shard = shard
        self._topic = spec.topics[0]
        self._brokers = Brokers(spec.event_source_arn or "", ",".join(cluster.servers))
        self._readers: dict[TopicPartition, PartitionReader] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._started = asyncio.Event()
        self._ended = asyncio.Event()
        """Set once this member must be made anew, or is to end."""
        self._problem: BaseException | None = None
        self._consumer: Any = None

    async def run(self) -> None:
        """Read until the shard is given up; raises SourceError and KafkaError."""
        seconds = await self._polled.timeout() + GRACE_SECONDS
        consumer = self._consumer = AIOKafkaConsumer(
            **self._cluster.options,
            group_id=_group(self._polled),
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # where a position is gone; a first one is set below
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(SESSION_SECONDS * 300),
            rebalance_timeout_ms=int(seconds * 1000),
            max_poll_interval_ms=int(max(seconds, 300) * 1000),
            fetch_max_wait_ms=BUSY_FETCH_MS,
        )
        self._cluster.guard(consumer._client)  # noqa: SLF001  aiokafka has no hook
        consumer.subscribe([self._topic], listener=self)
        watches = [asyncio.create_task(self._watch()), asyncio.create_task(self._stop())]
        for task in watches:
            task.add_done_callback(self._task_ended)
        try:
            await asyncio.gather(self._start(), self._ended.wait())
            await self._end_readers(self._readers)
        finally:
            for task in (*watches, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(*watches, *self._tasks.values(), return_exceptions=True)
            await consumer.stop()
        if self._problem is not None:
            raise self._problem

    async def _start(self) -> None:
        starting = asyncio.create_task(self._consumer.start())
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait((starting, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not starting.done():
            starting.cancel()
        await asyncio.gather(starting, ended, return_exceptions=True)
        if starting.cancelled():
            return
        if (error := starting.exception()) is not None:
            raise error
        self._started.set()
        self._shard.trouble(None)

    async def _stop(self) -> None:
        await self._shard.stopping.wait()
        self._ended.set()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begin to read partitions where they were left."""
        for partition in assigned:
            try:
                await self._set_position(partition)
            except KafkaError as error:
                self._fail(error)
                return
            reader = PartitionReader(
                self._polled, self._shard, self._brokers, self._consumer, partition,
                fetched=partial(self._wait_for_records, BUSY_FETCH_MS),
            )  # fmt: skip
            self._readers[partition] = reader
            task = asyncio.create_task(reader.run())
            self._tasks[partition] = task
            task.add_done_callback(self._task_ended)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Let what runs end, before another member reads on."""
        await self._end_readers(revoked)

    async def _end_readers(self, partitions: Collection[TopicPartition]) -> None:
        readers = [self._readers.pop(one) for one in list(partitions) if one in self._readers]
        for reader in readers:
            reader.stopping.set()
        await asyncio.gather(
            *(self._tasks.pop(reader.partition) for reader in readers), return_exceptions=True
        )

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._problem = self._problem or error
        self._ended.set()

    async def _set_position(self, partition: TopicPartition) -> None:
        """Go to where the group stands; at first to where the mapping says, and keep that."""
        consumer = self._consumer
        if await consumer.committed(partition) is not None:
            return
        offset = await self._first_offset(partition)
        consumer.seek(partition, offset)
        await consumer.commit({partition: offset})

    async def _first_offset(self, partition: TopicPartition) -> int:
        spec, consumer = self._polled.mapping.spec, self._consumer
        if spec.starting_position == "TRIM_HORIZON":
            return int((await consumer.beginning_offsets([partition]))[partition])
        if spec.starting_position_timestamp is not None:
            at = datetime.fromisoformat(spec.starting_position_timestamp).timestamp()
            found = (await consumer.offsets_for_times({partition: int(at * 1000)}))[partition]
            if found is not None:
                return int(found.offset)
        return int((await consumer.end_offsets([partition]))[partition])

    async def _watch(self) -> None:
        """Say how far behind the readers are, and what brokers that do not answer say."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._started.wait()
                    ends = await self._consumer.end_offsets(list(self._readers))
                self._note_lag(ends)
                self._shard.trouble(None)
            except (KafkaError, TimeoutError) as error:
                await self._explain(error)

    def _note_lag(self, ends: Mapping[TopicPartition, int]) -> None:
        behind = sum(
            ends[partition] - reader.position
            for partition, reader in self._readers.items()
            if partition in ends
        )
        self._polled.metrics.lag.set(behind)
        self._wait_for_records(BUSY_FETCH_MS if behind else IDLE_FETCH_MS)

    def _wait_for_records(self, milliseconds: int) -> None:
        """Have brokers wait for so long before they say that there is nothing."""
        self._consumer._fetcher._fetch_max_wait_ms = milliseconds  # noqa: SLF001  aiokafka's is fixed

    async def _explain(self, error: BaseException) -> None:
        """Find out what it is; what only other credentials help against ends this member."""
        try:
            await self._cluster.partitions(self._topic)
        except SourceError as found:
            self._shard.trouble(found)
            if found.reason != "Unreachable":
                self._fail(found)
        else:
            log.info("brokers do not answer", topic=self._topic, error=repr(error))


def _group(polled: PolledMapping) -> str:
    spec = polled.mapping.spec
    config = (
        spec.self_managed_kafka_event_source_config or spec.amazon_managed_kafka_event_source_config
    )
    return (config and config.consumer_group_id) or polled.mapping.metadata.uid
