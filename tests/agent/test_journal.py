"""The journal: in order, bounded, and honest about what is missing."""

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pilotlight_agent import journal as journal_module
from pilotlight_agent.gateway_api import GatewayApi
from pilotlight_agent.http.request import Request
from pilotlight_agent.http.server import Connection
from pilotlight_agent.journal import Cursor, Journal, Source

if TYPE_CHECKING:
    from pilotlight_agent.lifecycle.pod import Pod


class Reader:
    """Collects what a cursor writes; can be made to lag."""

    def __init__(self, journal: Journal, after: int = 0, environment: str = "") -> None:
        self.data = b""
        self.ready = True
        self.cursor = Cursor(journal, after, self._write, lambda: self.ready, environment)

    def _write(self, data: bytes) -> None:
        self.data += data

    @property
    def events(self) -> list[dict[str, object]]:
        """Return the events that came."""
        return [json.loads(line) for line in self.data.splitlines()]


async def test_events_are_numbered_and_say_where_they_come_from() -> None:
    """A line has all the marks that a log needs; any text survives."""
    journal = Journal()
    reader = Reader(journal)
    source = Source(journal, "env-1", 'stream "[1]"')
    source.tell_line("log", "request-1", 'quoted "text" \n\t ü \x00')
    source.tell_state("idle")
    source.tell_exit("", -9)
    journal.flush()
    line, state, end = reader.events
    assert line.pop("time")
    assert line == {
        "seq": 1,
        "type": "log",
        "environment": "env-1",
        "requestId": "request-1",
        "logStream": 'stream "[1]"',
        "line": 'quoted "text" \n\t ü \x00',
    }
    assert (state["seq"], state["type"], state["state"]) == (2, "state", "idle")
    assert (end["seq"], end["type"], end["code"]) == (3, "exit", -9)


async def test_a_reader_may_begin_anywhere() -> None:
    """`after` is the last event that the reader has seen."""
    journal = Journal()
    source = Source(journal, "e", "s")
    for number in range(5):
        source.tell_line("log", "", str(number))
    journal.flush()
    reader = Reader(journal, after=3)
    reader.cursor.advance()
    assert [event["seq"] for event in reader.events] == [4, 5]
    assert Reader(journal, after=99).data == b""


async def test_a_slow_reader_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old events make room; the gap is announced once, then it goes on."""
    monkeypatch.setattr(journal_module, "_MOST_EVENTS", 10)
    journal = Journal()
    reader = Reader(journal)
    source = Source(journal, "e", "s")
    reader.ready = False
    for number in range(25):
        source.tell_line("log", "", str(number))
    journal.flush()
    assert reader.data == b""
    reader.ready = True
    reader.cursor.advance()
    gone = sum(len(json.dumps({**event, "seq": 1})) + 1 for event in reader.events[1:11])
    first = reader.events[0]
    assert (first["type"], first["count"]) == ("dropped", 15)
    assert isinstance(first["bytes"], int)
    assert 0 < first["bytes"] < 2 * gone
    assert [event["line"] for event in reader.events[1:]] == [str(n) for n in range(15, 25)]


async def test_the_journal_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Huge lines cannot fill the agent's memory."""
    monkeypatch.setattr(journal_module, "_MOST_BYTES", 10_000)
    journal = Journal()
    source = Source(journal, "e", "s")
    for _ in range(100):
        source.tell_line("log", "", "x" * 1_000)
    journal.flush()
    lines, dropped = journal.since(0)
    assert sum(len(line.text) for line in lines) <= 10_000
    assert len(lines) + dropped == 100


async def test_a_reader_gets_a_little_at_a_time() -> None:
    """One that lags in its middle goes on from there; a gap counts what it has not seen."""
    journal = Journal()
    source = Source(journal, "e", "s")
    for number in range(100):
        source.tell_line("log", "", f"{number}" + "x" * 10_000)
    journal.flush()
    reader = Reader(journal)
    writes: list[int] = []

    def write(data: bytes) -> None:
        writes.append(len(data))
        reader.ready = len(writes) != 3

    cursor = Cursor(journal, 0, write, lambda: reader.ready)
    cursor.advance()
    assert len(writes) == 3
    assert max(writes) < 100_000
    reader.ready = True
    cursor.advance()
    whole = b"".join(line.text for line in journal.since(0)[0])
    assert sum(writes) == len(whole)


async def test_a_reader_of_one_environment_hears_no_other() -> None:
    """Environments that share a pod are read one by one; what is the pod's, all of them hear."""
    journal = Journal()
    reader = Reader(journal, environment="a")
    for environment in ("a", "b"):
        Source(journal, environment, "s").tell_line("log", "", f"of {environment}")
    journal.append("zygote", '"state":"ready"')
    Source(journal, "b", "s").tell_state("ended")
    journal.flush()
    assert [event.get("line", event["type"]) for event in reader.events] == ["of a", "zygote"]


async def test_a_closed_cursor_hears_nothing() -> None:
    """A reader that has gone costs nothing."""
    journal = Journal()
    reader = Reader(journal)
    reader.cursor.close()
    Source(journal, "e", "s").tell_state("idle")
    journal.flush()
    assert reader.data == b""


@pytest.mark.looptime
async def test_lines_wait_a_little_and_states_do_not() -> None:
    """Many agents wake up less often for lines; what a gateway acts on goes out at once."""
    journal = Journal()
    reader = Reader(journal)
    source = Source(journal, "e", "s")
    source.tell_line("log", "", "first")
    await asyncio.sleep(0.049)
    assert reader.data == b""
    await asyncio.sleep(0.002)
    assert [event["line"] for event in reader.events] == ["first"]
    source.tell_line("log", "", "second")
    source.tell_state("idle")
    await asyncio.sleep(0.006)
    assert [event["type"] for event in reader.events] == ["log", "log", "state"]


@pytest.mark.looptime
async def test_a_flood_of_lines_does_not_wait() -> None:
    """Lines that wait are in memory, so few may."""
    journal = Journal()
    reader = Reader(journal)
    source = Source(journal, "e", "s")
    for number in range(100):
        source.tell_line("log", "", str(number))
    await asyncio.sleep(0.001)
    assert len(reader.events) == 100


async def test_what_others_lost_before_it_was_there_is_no_loss_of_an_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who reads all of a new environment's events in an old agent is told of no gap."""
    monkeypatch.setattr(journal_module, "_MOST_EVENTS", 10)
    journal = Journal()
    for _ in range(30):
        Source(journal, "old", "s").tell_line("log", "", "of another")
    journal.flush()
    environment = SimpleNamespace(born=journal.last)
    Source(journal, "new", "s").tell_line("log", "", "its own")
    journal.flush()
    pod = cast("Pod", SimpleNamespace(journal=journal, environments={"new": environment}))
    written: list[bytes] = []
    connection = Connection(lambda *_: None, 1)
    connection.transport = cast("asyncio.Transport", SimpleNamespace(write=written.append))
    request = Request(b"GET", b"/v1/events?after=0&environment=new", {}, keep_alive=True)
    GatewayApi(pod, "0" * 64)._events(request, connection)
    told = [json.loads(line) for line in b"".join(written).splitlines() if line[:1] == b"{"]
    assert [event.get("line") for event in told] == ["its own"]
