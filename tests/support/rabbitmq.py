"""A real RabbitMQ of a test's own, on 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aio_pika

from tests.support.debian import program_of
from tests.support.ports import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from aio_pika.abc import AbstractChannel

__all__ = ["RabbitMq", "running_rabbitmq"]

T = TypeVar("T")


class RabbitMq:
    """A server that a test may stop and start; durable queues and messages stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The server itself: Debian's own command changes the user.
        self._program = program_of("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
        self._port, self._names_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # The server would start one that outlives it.
        self._names = subprocess.Popen(
            ["epmd", "-address", "127.0.0.1", "-port", str(self._names_port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for_port(self._names_port, self._names)
        self.url = f"amqp://127.0.0.1:{self._port}"
        self.user, self.password = "guest", "guest"
        folder.joinpath("plugins").write_text("[].")
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "rabbitmq.out").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program], env=self._environment, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        wait_for_port(self._port, self._process)

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it, and the names of its node."""
        self.stop()
        self._names.kill()
        self._names.wait()

    def queue(self, name: str, **arguments: Any) -> None:
        """Make a durable queue."""

        async def make(channel: AbstractChannel) -> None:
            await channel.declare_queue(name, durable=True, arguments=arguments)

        self._run(make)

    def put(self, queue: str, bodies: Iterable[str], **properties: Any) -> None:
        """Put messages into a queue, in their order."""

        async def send(channel: AbstractChannel) -> None:
            for body in bodies:
                message = aio_pika.Message(body.encode(), delivery_mode=2, **properties)
                await channel.default_exchange.publish(message, queue)

        self._run(send)

    def ready(self, queue: str) -> int:
        """Return how many messages wait in a queue that nobody has."""

        async def count(channel: AbstractChannel) -> int:
            found = await channel.declare_queue(queue, passive=True)
            return found.declaration_result.message_count or 0

        return self._run(count)

    def bodies(self, queue: str) -> list[str]:
        """Take everything out of a queue."""

        async def take(channel: AbstractChannel) -> list[str]:
            found, taken = await channel.declare_queue(queue, passive=True), []
            while (message := await found.get(no_ack=True, fail=False)) is not None:
                taken.append(message.body.decode())
            return taken

        return self._run(take)

    def _run(self, work: Callable[[AbstractChannel], Awaitable[T]]) -> T:
        async def run() -> T:
            async with await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{self._port}") as one:
                return await work(await one.channel())

        return asyncio.run(run())


@contextmanager
def running_rabbitmq() -> Iterator[RabbitMq]:
    """Run a server for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="pilotlight-rabbitmq-") as folder:
        server = RabbitMq(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()
