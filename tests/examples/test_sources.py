"""The examples of streams and brokers, each with the server that it asks for."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nats
import pytest
from redis import Redis

from tests.support.debian import program_of
from tests.support.dev_process import DevProcess
from tests.support.platform import run_cli
from tests.support.processes import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.rabbitmq import RabbitMq
    from tests.support.streams import Kinesis

    Source = Callable[[Path, pytest.FixtureRequest], AbstractContextManager[tuple[str, str]]]

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 60.0


@contextmanager
def clicks(_: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A stream with clicks, one of them broken; gives what the mapping says, and what is so."""
    kinesis: Kinesis = request.getfixturevalue("kinesis")
    kinesis.stream("clicks")
    pages = [b'{"page": "/"}', b'{"page": "/"}', b"broken", b'{"page": "/end"}']
    kinesis.put("clicks", [("ada", page) for page in pages])
    yield "http://127.0.0.1:4567", kinesis.url


@contextmanager
def letters(_: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A queue with letters."""
    rabbitmq: RabbitMq = request.getfixturevalue("rabbitmq")
    rabbitmq.queue("letters")
    rabbitmq.put("letters", ["dear Ada", "dear Bob"])
    yield "amqp://127.0.0.1:5672", rabbitmq.url


@contextmanager
def carts(_: Path, __: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A stream of Redis, with an entry that is no item."""
    program = program_of("redis-server", "redis-server")
    with ServerProcess(
        [program, "--port", "{port}", "--bind", "127.0.0.1", "--save", ""]
    ) as server:
        with Redis(port=server.port) as client:
            for item in ({"item": "lamp"}, {}, {"item": "bulb"}):
                client.xadd("carts", {"cart": "7"} | item)
        yield "127.0.0.1:6379", f"127.0.0.1:{server.port}"


@contextmanager
def sensors(folder: Path, _: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A stream of NATS, with a reading that is none."""
    command = [str(Path(sys.executable).with_name("nats-server")), "--addr", "127.0.0.1"]
    command += ["--port", "{port}", "--jetstream", "--store_dir", str(folder)]
    with ServerProcess(command) as server:

        async def put() -> None:
            client = await nats.connect(f"nats://127.0.0.1:{server.port}")
            context = client.jetstream()
            await context.add_stream(name="SENSORS", subjects=["SENSORS.>"])
            for degrees in (b"21", b"hot", b"93.5"):
                await context.publish("SENSORS.oven", degrees)
            await client.close()

        asyncio.run(put())
        yield "127.0.0.1:4222", f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("name", "source", "lines"),
    [
        ("clicks", clicks, ["/: 2", "/end: 1"]),
        ("letters", letters, ["dear Ada", "dear Bob"]),
        ("carts", carts, ["cart 7: lamp", "bulb"]),
        ("sensors", sensors, ["SENSORS.oven is too hot: 93.5"]),
    ],
)
def test_what_comes_is_handled_as_the_page_says(
    tmp_path: Path, request: pytest.FixtureRequest, name: str, source: Source, lines: list[str]
) -> None:
    """What cannot be read is given up after its tries, and holds up nothing for ever."""
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder)
    with source(tmp_path / "server", request) as (said, there):
        mapping = folder / "mapping.yaml"
        mapping.write_text(mapping.read_text().replace(said, there))
        with DevProcess("--no-watch", folder, state=tmp_path / "state") as running:
            deadline, log = time.monotonic() + SECONDS, ""
            while not all(line in log for line in lines):
                assert time.monotonic() < deadline, log
                log = run_cli("logs", name, endpoint=running.endpoint).stdout.decode()
