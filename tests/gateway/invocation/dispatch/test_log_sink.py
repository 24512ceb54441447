"""Lines on their way into the store: bounded in bytes, and honest about what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError
from pilotlight.storage import LogLine
from pilotlight_gateway.invocation.dispatch.log_sink import MOST_BYTES, SHARE, LogSink
from tests.support.gateway import MemoryLogs

if TYPE_CHECKING:
    from collections.abc import Sequence


def line(function: str, message: str) -> LogLine:
    return LogLine(1.0, "default", function, "s", "r", message)


class AwayOnce(MemoryLogs):
    """A store that is away when it is asked first."""

    away = True

    async def append(self, lines: Sequence[LogLine]) -> None:
        away, self.away = self.away, False
        if away:
            raise UnavailableError("no")
        await super().append(lines)


async def test_a_chatty_function_drops_its_own_lines_alone() -> None:
    """Whatever it prints, no more than its share waits, and its owner reads what is missing."""
    store = MemoryLogs()
    sink = LogSink(store)
    for _ in range(100):
        sink.add([line("chatty", "x" * 100_000)])
    sink.add([line("quiet", "hello")])
    await sink.flush()
    kept = [one for one in store.lines if one.message.startswith("x")]
    assert sum(len(one.message) for one in kept) <= SHARE
    assert "hello" in {one.message for one in store.lines}
    lost = 100 - len(kept)
    [told] = [one for one in store.lines if "dropped" in one.message]
    assert told.function == "chatty"
    assert f"{lost} lines of {lost * 100_000} bytes were dropped" in told.message
    assert sink.dropped == lost


async def test_what_waits_is_bounded_over_all_functions() -> None:
    store = MemoryLogs()
    sink = LogSink(store)
    for number in range(200):
        sink.add([line(f"f{number}", "ü" * 50_000)])
    await sink.flush()
    kept = [one for one in store.lines if one.message.startswith("ü")]
    assert sum(len(one.message.encode()) for one in kept) <= MOST_BYTES


async def test_what_a_store_did_not_take_is_told_once_it_is_back() -> None:
    store = AwayOnce()
    sink = LogSink(store)
    sink.add([line("f", "lost")])
    sink.miss(("default", "f"), 2, 10)
    await sink.flush()
    assert store.lines == []
    sink.add([line("f", "next")])
    await sink.flush()
    [first, told] = store.lines
    assert first.message == "next"
    assert "3 lines of 14 bytes" in told.message
    assert sink.dropped == 3
