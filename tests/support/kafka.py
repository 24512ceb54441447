"""A real Kafka of a test's own: one KRaft node on 127.0.0.1, in a small heap.

It listens without and with SASL (PLAIN, SCRAM), and with TLS that wants clients' certificates.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.certificates import Certificates
from tests.support.maven import jars_of
from tests.support.ports import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["PASSWORD", "USER", "Kafka", "running_kafka"]

USER, PASSWORD = "tester", "test-password"
LARGEST = 8 << 20
HEAP = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
CONFIG = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_PLAINTEXT://127.0.0.1:{sasl},SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config={plain} required user_{user}="{password}";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config={scram} required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={scram} required;
ssl.keystore.type=PEM
ssl.keystore.location={certificates}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={certificates}/ca.pem
ssl.client.auth=required
log.dirs={folder}/log
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
auto.create.topics.enable=false
log.cleaner.enable=false
"""


def jars() -> Path:
    """Return the folder of its jars."""
    return jars_of("org.apache.kafka", "kafka_2.13", "4.4.0")


class Kafka:
    """A server that a test may stop and start; what is in its topics stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jars = jars()
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._sasl_port, self._tls_port = free_port(), free_port(), free_port()
        self.servers = f"127.0.0.1:{self._port}"
        self.sasl_servers = f"127.0.0.1:{self._sasl_port}"
        self.tls_servers = f"127.0.0.1:{self._tls_port}"
        self.certificates = Certificates(folder)
        self._config = folder / "server.properties"
        self._config.write_text(
            CONFIG.format(
                plaintext=self._port, sasl=self._sasl_port, tls=self._tls_port,
                controller=free_port(), plain=PLAIN, scram=SCRAM, user=USER, password=PASSWORD,
                certificates=folder, folder=folder,
            )
        )  # fmt: skip
        self._run_tool()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "kafka.out").open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._config)), stdout=output, stderr=output
            )
        wait_for_port(self._port, self._process)

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic, for messages of up to 8 MiB."""

        async def make() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
            await admin.start()
            configs = {"max.message.bytes": str(LARGEST)}
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
            await admin.close()

        asyncio.run(make())

    def put(
        self,
        topic: str,
        values: Iterable[str],
        *,
        partition: int | None = None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Put records into a topic, in their order."""

        async def send() -> None:
            async with AIOKafkaProducer(
                bootstrap_servers=self.servers, max_request_size=LARGEST
            ) as producer:
                sent = [
                    await producer.send(
                        topic, value.encode(), key, partition=partition, headers=headers
                    )
                    for value in values
                ]
                await asyncio.gather(*sent)

        asyncio.run(send())

    def committed(self, group: str, topic: str, partition: int = 0) -> int | None:
        """Return where a group stands."""

        async def ask() -> Any:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, group_id=group)
            await consumer.start()
            try:
                return await consumer.committed(TopicPartition(topic, partition))
            finally:
                await consumer.stop()

        found: int | None = asyncio.run(ask())
        return found

    def _run_tool(self) -> None:
        """Format the storage, with users for SCRAM."""
        users = [
            argument
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for argument in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
        ]
        arguments = ["format", "-t", "cGlsb3RsaWdodC10ZXN0cw", "-c", str(self._config), *users]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments),
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def _java(self, main: str, *arguments: str) -> list[str]:
        return ["java", *HEAP, "-cp", f"{self._jars}/*", main, *arguments]


@contextmanager
def running_kafka() -> Iterator[Kafka]:
    """Run a server for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="pilotlight-kafka-") as folder:
        server = Kafka(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
