"""One subscriber's buffer: nothing waits for it, and what it loses it is told."""

from __future__ import annotations

import asyncio

import pytest

from pilotlight_agent.runtimes import telemetry as module
from pilotlight_agent.runtimes.subscription import TELEMETRY, Stream, Subscription
from pilotlight_agent.runtimes.telemetry import Telemetry

MOST = 262_144
WANTED = Subscription(TELEMETRY, "2022-07-01", frozenset(Stream), 1_000, MOST, 0.025, 1, "/")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    taken: list[list[bytes]] = []
    monkeypatch.setattr(module, "_deliver", lambda _, batch: taken.append(batch))
    return taken


def telemetry(wanted: Subscription = WANTED) -> Telemetry:
    made = Telemetry(str, json_lines=True)
    made.subscribe("mine", wanted)
    made.close_subscription()
    return made


async def until(batches: list[list[bytes]], count: int) -> None:
    async with asyncio.timeout(5):
        while sum(map(len, batches)) < count:  # noqa: ASYNC110  threads deliver
            await asyncio.sleep(0.001)


async def test_events_go_together(batches: list[list[bytes]]) -> None:
    """Those of one moment, and at most as many as were asked for."""
    told = telemetry()
    for number in range(1_500):
        told.line(Stream.FUNCTION, str(number))
    await until(batches, 1_501)
    assert [len(each) for each in batches] == [1_501]  # one task, that took what had come
    told.close()


async def test_who_is_too_slow_loses_events_and_is_told(
    batches: list[list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's memory is bounded, whatever a function prints."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    tries = iter([True])

    def deliver(_: Subscription, batch: list[bytes]) -> None:
        if next(tries, False):
            raise ConnectionRefusedError
        batches.append(batch)

    monkeypatch.setattr(module, "_deliver", deliver)
    told = telemetry()
    for _ in range(20):
        told.line(Stream.FUNCTION, "x" * 100_000)
    kept = 2 * MOST // 100_000
    await until(batches, 1 + kept + 1)
    last = b"".join(batches[-1])
    assert b"platform.logsDropped" in last
    assert f'"droppedRecords":{20 - kept}'.encode() in last
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
    for _ in range(100):
        told.line(Stream.FUNCTION, "x" * 10_000)
    told.subscribe("mine", WANTED)
    await until(batches, MOST // 10_000 + 1)
    told.close()


async def test_what_did_not_arrive_goes_to_the_one_that_comes_after(
    batches: list[list[bytes]],
) -> None:
    """An extension is ended with the runtime, and its last words are worth most."""
    told = telemetry()
    told.line(Stream.FUNCTION, "last words")
    told.begin_anew()
    told.platform("platform.runtimeDone", lambda: "between")
    told.subscribe("mine", WANTED)
    await until(batches, 4)
    text = b"".join(batches[0])
    assert text.index(b"last words") < text.index(b"between") < text.rindex(b"Subscribed")
    told.close()
