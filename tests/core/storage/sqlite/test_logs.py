"""Log lines come back as a query asks, and never fill the disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight.storage import LogLine, LogQuery
from pilotlight.storage.sqlite.logs import SqliteLogs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def line(number: int, *, function: str = "hello", request_id: str = "one") -> LogLine:
    """Make a line of that second."""
    return LogLine(float(number), "default", function, "stream", request_id, f"line {number}")


def query(**wanted: float | str) -> LogQuery:
    """Ask for lines of the function."""
    return LogQuery("default", "hello", **wanted)  # type: ignore[arg-type]  # fields by name


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[SqliteLogs]:
    """Return an empty store."""
    opened = SqliteLogs(tmp_path / "logs.sqlite", clock=lambda: 0.0)
    yield opened
    opened.close()


async def test_the_last_lines_come_oldest_first(logs: SqliteLogs) -> None:
    """Other functions' lines do not count."""
    await logs.append([line(number) for number in range(5)] + [line(9, function="other")])
    found = await logs.query(query(limit=3))
    assert [one.message for one in found] == ["line 2", "line 3", "line 4"]
    assert found[0] == LogLine(2.0, "default", "hello", "stream", "one", "line 2", found[0].id)


async def test_following_goes_on_after_an_id(logs: SqliteLogs) -> None:
    """The first lines after it, so that none is passed over."""
    await logs.append([line(number) for number in range(5)])
    (first, *_) = await logs.query(query())
    followed = await logs.query(query(after_id=first.id, limit=2))
    assert [one.message for one in followed] == ["line 1", "line 2"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"since": 3.0}, ["line 3", "line 4"]),
        ({"request_id": "two"}, ["line 4"]),
        ({"request_id": "none"}, []),
        ({"limit": 0}, []),
    ],
    ids=str,
)
async def test_queries_narrow(
    logs: SqliteLogs, wanted: dict[str, float | str], expected: list[str]
) -> None:
    """By time and by request."""
    await logs.append([*map(line, range(4)), line(4, request_id="two")])
    assert [one.message for one in await logs.query(query(**wanted))] == expected


async def test_appends_at_once_keep_every_line_in_order(logs: SqliteLogs) -> None:
    """Those that wait share a transaction, and each finds its lines kept when it returns."""

    async def append(number: int) -> int:
        await logs.append([line(number)])
        found = await logs.query(query())
        return [one.message for one in found].index(f"line {number}")

    places = await asyncio.gather(*map(append, range(50)))
    assert places == list(range(50))


async def test_whatever_a_function_prints_comes_back(logs: SqliteLogs) -> None:
    """A NUL ends no line, and half a character stands for nothing in the lines around it."""
    printed = ["before", "a\0b", "a\ud83db", "after"]
    await logs.append([line(1)._replace(message=message) for message in printed])
    found = await logs.query(query())
    assert [one.message for one in found] == ["before", "a\0b", "a?b", "after"]


async def test_more_lines_than_a_statement_takes_keep_their_order(logs: SqliteLogs) -> None:
    """Nor is one of them lost between two statements."""
    await logs.append([line(number) for number in range(150)])
    found = await logs.query(query(limit=1000))
    assert [one.message for one in found] == [f"line {number}" for number in range(150)]


async def test_a_stream_is_deleted_and_the_others_stay(logs: SqliteLogs) -> None:
    """Of the function, before the time, of that stream if one is named."""
    await logs.append([LogLine(1.0, "default", "hello", one, "r", one) for one in ("a", "b", "")])
    assert await logs.delete("default", "hello", until=1.0, stream="a") == 0
    assert await logs.delete("default", "hello", until=2.0, stream="a") == 1
    assert [one.name for one in await logs.streams("default", "hello")] == ["", "b"]
    assert await logs.delete("default", "hello", until=2.0) == 2


async def test_old_lines_go(tmp_path: Path) -> None:
    """Age is by the line's own time."""
    logs = SqliteLogs(tmp_path / "logs.sqlite", max_age=100.0, clock=lambda: 1_000.0)
    try:
        await logs.append([line(number) for number in range(1_001)])
        (oldest, *_) = await logs.query(query())
        assert oldest.time == 900.0
    finally:
        logs.close()


async def test_the_file_stays_within_its_bound(tmp_path: Path) -> None:
    """The oldest lines go first, and their pages are used again."""
    bound = 2 * 1024 * 1024
    logs = SqliteLogs(tmp_path / "logs.sqlite", max_bytes=bound, clock=lambda: 0.0)
    text = "x" * 1_000
    try:
        for start in range(0, 10_000, 1_000):
            await logs.append(
                [
                    LogLine(float(number), "default", "hello", "s", "r", text)
                    for number in range(start, start + 1_000)
                ]
            )
        kept = await logs.query(query(limit=10_000))
    finally:
        logs.close()
    kept = [one for one in kept if one.message == text]
    assert kept[-1].time == 9_999.0
    assert 500 < len(kept) < 2_100
    assert (tmp_path / "logs.sqlite").stat().st_size < 3 * bound


async def test_a_chatty_function_pushes_out_its_own_lines_alone(tmp_path: Path) -> None:
    """Its log says how many; a bound in bytes is looked at by bytes, not by lines."""
    bound = 2 * 1024 * 1024
    logs = SqliteLogs(tmp_path / "logs.sqlite", max_bytes=bound, clock=lambda: 0.0)
    try:
        await logs.append([line(number, function="quiet") for number in range(100)])
        for number in range(50):
            await logs.append([LogLine(1.0, "default", "hello", "s", "r", "x" * 200_000)])
            assert (tmp_path / "logs.sqlite").stat().st_size < 3 * bound, number
        quiet = await logs.query(LogQuery("default", "quiet"))
        kept = await logs.query(query(limit=1_000))
    finally:
        logs.close()
    assert len(quiet) == 100
    assert any("lines of" in one.message for one in kept)
    assert 5 <= sum(one.message.startswith("x") for one in kept) <= 10
