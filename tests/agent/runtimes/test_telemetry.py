"""One subscriber's buffer: nothing waits for it, and what it loses it is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_agent.runtimes import telemetry as module
from pilotlight_agent.runtimes.subscription import TELEMETRY, Stream, Subscription
from pilotlight_agent.runtimes.telemetry import Telemetry

if TYPE_CHECKING:
    from asyncio import Event
    from collections.abc import AsyncIterator

MOST = 262_144
WANTED = Subscription(TELEMETRY, "2022-07-01", frozenset(Stream), 1_000, MOST, 0.025, 1, "/")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    taken: list[list[bytes]] = []

    async def deliver(_: Subscription, batch: list[bytes]) -> int:
        taken.append(batch)
        return 200

    monkeypatch.setattr(module, "_deliver", deliver)
    return taken


def telemetry(wanted: Subscription = WANTED) -> Telemetry:
    made = Telemetry(str, json_lines=True)
    made.subscribe("mine", wanted)
    made.close_subscription()
    return made


async def until(batches: list[list[bytes]], count: int) -> None:
    async with asyncio.timeout(5):
        while sum(map(len, batches)) < count:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.001)


@asynccontextmanager
async def answered(answer: bytes, pause: float = 0) -> AsyncIterator[tuple[Subscription, Event]]:
    """Answer everybody endlessly; yields how to subscribe, and what is set when a second came."""
    tasks, twice = set[asyncio.Task[None] | None](), asyncio.Event()

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        if len(tasks) > 1:
            twice.set()
        try:
            writer.write(answer)
            while True:
                await writer.drain()
                await asyncio.sleep(pause)
                writer.write(b"x")
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield replace(WANTED, port=server.sockets[0].getsockname()[1]), twice
    server.close()
    for task in tasks:
        assert task is not None
        task.cancel()
    await asyncio.sleep(0.05)  # all of it ends


async def test_events_go_together(batches: list[list[bytes]]) -> None:
    """Those of one moment, and at most as many as were asked for."""
    told = telemetry()
    for number in range(1_500):
        told.line(Stream.FUNCTION, str(number))
    await until(batches, 1_501)
    assert [len(each) for each in batches] == [1_000, 501]
    told.close()


async def test_who_is_too_slow_loses_events_and_is_told(
    batches: list[list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's memory is bounded, whatever a function prints."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    tries = iter([True])

    async def deliver(_: Subscription, batch: list[bytes]) -> int:
        if next(tries, False):
            return 0
        batches.append(batch)
        return 200

    monkeypatch.setattr(module, "_deliver", deliver)
    told = telemetry()
    for _ in range(20):
        told.line(Stream.FUNCTION, "x" * 100_000)
    kept = 2 * MOST // 100_000
    await until(batches, 1 + kept + 1)
    text = b"".join(map(b"".join, batches))
    assert text.count(b"platform.logsDropped") == 1
    assert f'"droppedRecords":{20 - kept}'.encode() in text
    assert all(sum(map(len, each)) <= MOST for each in batches)
    told.close()


async def test_json_is_told_as_what_it_is(batches: list[list[bytes]]) -> None:
    told = telemetry()
    told.line(Stream.FUNCTION, '{"level":"INFO"}')
    told.line(Stream.FUNCTION, "{no document")
    told.line(Stream.EXTENSION, '{"level":"INFO"}')
    await until(batches, 4)
    lines = [line.partition(b'"record":')[2] for batch in batches for line in batch][1:]
    assert lines == [b'{"level":"INFO"}}', b'"{no document"}', b'"{\\"level\\":\\"INFO\\"}"}']
    told.close()


async def test_what_was_printed_before_is_bounded(batches: list[list[bytes]]) -> None:
    """Until somebody subscribes; nobody may ever."""
    told = Telemetry(str, json_lines=False)
    told.expect(["mine"])
    for _ in range(100):
        told.line(Stream.FUNCTION, "x" * 10_000)
    told.subscribe("mine", WANTED)
    await until(batches, 25 + 1)
    told.close()


async def test_what_did_not_arrive_goes_to_the_one_that_comes_after(
    batches: list[list[bytes]],
) -> None:
    """An extension is ended with the runtime, and its last words are worth most."""
    told = telemetry()
    told.line(Stream.FUNCTION, "last words")
    told.begin_anew()
    told.expect(["mine"])
    told.platform("platform.runtimeDone", lambda: "between")
    told.subscribe("mine", WANTED)
    await until(batches, 4)
    text = b"".join(batches[0])
    assert text.index(b"last words") < text.index(b"between") < text.rindex(b"Subscribed")
    told.close()


async def test_an_endless_answer_is_not_read() -> None:
    async with answered(b"HTTP/1.1 200 OK\r\n\r\n") as (wanted, twice), asyncio.timeout(1.5):
        told = telemetry(wanted)
        await asyncio.sleep(0.1)
        told.line(Stream.FUNCTION, "the next batch")
        await twice.wait()
        told.close()


async def test_a_delivery_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly a listener answers, byte after byte."""
    monkeypatch.setattr(module, "_POST_SECONDS", 0.1)
    async with answered(b"HTTP/1.1 ", 0.02) as (wanted, twice), asyncio.timeout(5):
        told = telemetry(wanted)
        await twice.wait()
        told.close()


async def test_a_delivery_may_fail_in_any_way(monkeypatch: pytest.MonkeyPatch) -> None:
    post, problems = module._post, iter([RuntimeError])

    def fail(*arguments: Any) -> object:
        for problem in problems:
            raise problem
        return post(*arguments)

    monkeypatch.setattr(module, "_post", fail)
    async with answered(b"") as (wanted, twice), asyncio.timeout(5):
        told = telemetry(wanted)
        await twice.wait()
        told.close()


async def test_who_hangs_delays_nobody() -> None:
    async with (
        answered(b"", 60) as (hanging, _),
        answered(b"HTTP/1.1 200 OK\r\n\r\n", 60) as (wanted, twice),
    ):
        told = [telemetry(hanging) for _ in range(50)]
        await asyncio.sleep(0.1)
        told += [telemetry(wanted), telemetry(wanted)]
        async with asyncio.timeout(1):
            await twice.wait()
        for each in told:
            each.close()


@pytest.mark.parametrize(
    "line",
    ['{"a":' + "[" * 100_000, '{"a":1e999}', '{"a":' + "1" * 5_000 + "}"],
    ids=["deep", "infinite", "long"],
)
async def test_json_that_cannot_be_sent_on_is_a_line(batches: list[list[bytes]], line: str) -> None:
    told = telemetry()
    told.line(Stream.FUNCTION, line)
    await until(batches, 2)
    assert json.loads(batches[-1][-1])["record"] == line
    told.close()


async def test_blank_lines_count_too(batches: list[list[bytes]]) -> None:
    told = Telemetry(str, json_lines=False)
    told.expect(["mine"])
    for _ in range(10_000):
        told.line(Stream.FUNCTION, "")
        told.platform("platform.start", dict)
    told.subscribe("mine", WANTED)
    told.flush()
    await until(batches, 2)
    await asyncio.sleep(0.1)
    assert sum(map(len, batches)) < MOST / 200
    told.close()


async def test_lines_are_kept_for_extensions_only(batches: list[list[bytes]]) -> None:
    """One of the runtime's own that comes later hears how it began, and what comes then."""
    told = Telemetry(str, json_lines=False)
    told.platform("platform.initStart", dict)
    told.line(Stream.FUNCTION, "for nobody")
    told.subscribe("mine", WANTED)
    await until(batches, 2)
    assert [json.loads(each)["type"] for each in batches[0]] == [
        "platform.initStart", "platform.telemetrySubscription",
    ]  # fmt: skip
    told.close()


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (500, 5)])
async def test_what_is_refused_is_given_up(
    monkeypatch: pytest.MonkeyPatch, status: int, tries: int
) -> None:
    """And counted, so that the next batch tells of it."""
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.001)
    batches: list[list[bytes]] = []

    async def deliver(_: Subscription, batch: list[bytes]) -> int:
        batches.append(batch)
        return status if len(batches) <= tries else 200

    monkeypatch.setattr(module, "_deliver", deliver)
    told = telemetry()
    await until(batches, tries)
    await asyncio.sleep(0.05)
    told.line(Stream.FUNCTION, "goes on")
    await until(batches, tries + 2)
    assert [len(each) for each in batches] == [1] * tries + [2]
    assert b'"droppedRecords":1,' in batches[-1][0]
    told.close()


async def test_who_begins_with_much_hears_it(batches: list[list[bytes]]) -> None:
    """The newest, as much as goes at once."""
    told = telemetry()
    for number in range(20):
        told.line(Stream.FUNCTION, f"{number}" + "x" * 50_000)
    told.begin_anew()
    told.expect(["mine"])
    told.subscribe("mine", replace(WANTED, seconds=30))
    await until(batches, 3)
    assert [json.loads(each)["type"] for each in batches[0][:2]] == [
        "platform.logsDropped", "function",
    ]  # fmt: skip
    told.close()


async def test_who_is_full_is_sent_to(batches: list[list[bytes]]) -> None:
    """Also where one event alone is too large."""
    told = telemetry(replace(WANTED, seconds=30))
    told.line(Stream.FUNCTION, "x" * 3 * MOST)
    await until(batches, 2)
    assert b"logsDropped" in batches[0][0]
    told.close()


@pytest.mark.parametrize("expected", [[], ["theirs"]])
async def test_nothing_is_left_for_who_does_not_come(
    batches: list[list[bytes]], expected: list[str]
) -> None:
    told = telemetry()
    told.line(Stream.FUNCTION, "of another generation")
    told.begin_anew()
    told.expect(expected)
    told.subscribe("mine", WANTED)
    await until(batches, 1)
    assert [len(each) for each in batches] == [1]
    told.close()


async def test_what_was_before_is_told_once(batches: list[list[bytes]]) -> None:
    """To who subscribes again, too."""
    told = Telemetry(str, json_lines=False)
    told.platform("platform.initStart", dict)
    for _ in range(3):
        told.subscribe("mine", WANTED)
        await asyncio.sleep(0.05)
    text = b"".join(map(b"".join, batches))
    assert (text.count(b"initStart"), text.count(b"Subscribed")) == (1, 3)
    told.close()
