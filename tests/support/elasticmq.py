"""A real ElasticMQ of a test's own: SQS on 127.0.0.1, in a small heap."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.maven import jars_of
from tests.support.ports import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ElasticMq", "running_elasticmq"]

ACCOUNT, REGION = "000000000000", "us-east-1"
CONFIG = """
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
generate-node-address = false
aws {{ region = {region}, accountId = {account} }}
"""
LOGGING = '<configuration><root level="OFF"/></configuration>'
HEAP = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def jars() -> Path:
    """Return the folder of its jars."""
    return jars_of("org.elasticmq", "elasticmq-server_2.13", "1.7.1")


class ElasticMq:
    """A server that a test may stop and start; what is in its queues goes with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jars = jars()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.joinpath("elasticmq.conf").write_text(
            CONFIG.format(port=self.port, region=REGION, account=ACCOUNT)
        )
        folder.joinpath("logback.xml").write_text(LOGGING)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [
                "java", *HEAP, f"-Dconfig.file={self._folder}/elasticmq.conf",
                f"-Dlogback.configurationFile={self._folder}/logback.xml",
                "-cp", f"{self._jars}/*", "org.elasticmq.server.Main",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for_port(self.port, self._process)

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    @property
    def client(self) -> Any:
        """A boto3 client."""
        return boto3.client(
            "sqs", endpoint_url=self.url, region_name=REGION,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def queue(self, name: str, **attributes: str) -> str:
        """Make a queue; returns its URL."""
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        made = self.client.create_queue(QueueName=name, Attributes={**fifo, **attributes})
        return str(made["QueueUrl"])

    def put(self, url: str, bodies: list[str], group: str | None = None) -> None:
        """Put messages into a queue, in their order."""
        client = self.client
        more = {"MessageGroupId": group} if group else {}
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(at), "MessageBody": body, **more}
                | ({"MessageDeduplicationId": f"{group}-{body}"} if group else {})
                for at, body in enumerate(bodies[start : start + 10])
            ]
            answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            assert not answer.get("Failed"), answer

    def counts(self, url: str) -> tuple[int, int]:
        """Return how many messages are visible, and how many are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def bodies(self, url: str) -> list[str]:
        """Take everything out of a queue."""
        found: list[str] = []
        client = self.client
        while got := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in got:
                found.append(one["Body"])
                client.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found


@contextmanager
def running_elasticmq() -> Iterator[ElasticMq]:
    """Run a server for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="pilotlight-elasticmq-") as folder:
        server = ElasticMq(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
