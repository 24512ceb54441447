"""What a function prints, in the journal and in the log tail."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent import Agent, specialised

FUNCTION = """
import os, sys, threading, time

def flood():
    while True:
        os.write(1, b"y" * 1000 + b"\\n")

def handler(event, context):
    if event == "many":
        for number in range(5_000):
            print(f"line {number}")
    if event == "long":
        print("x" * 300_000)
        print("after")
    if event == "binary":
        os.write(2, b"\\xff\\xfe\\x00 bytes\\n")
    if event == "unfinished":
        print("no end", end="")
    if event == "flood":
        threading.Thread(target=flood, daemon=True).start()
        time.sleep(0.2)
    if event == "closed":
        os.close(1); os.close(2)
    if event == "child":
        os.system("echo from a child")
    return event
"""
TAIL = {"Pilotlight-Log-Tail": "1"}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """An agent with a function that prints as it is told."""
    folder = tmp_path_factory.mktemp("agent")
    with specialised(folder, {"main.py": FUNCTION}, timeout=10) as agent:
        agent.invoke("first")
        yield agent


def printed(agent: Agent, event: str) -> list[str]:
    """Return the lines that the function printed for an event."""
    agent.invoke(event, request_id=event)
    return agent.journal.lines(event)[1:-2]


def test_every_line_is_there_before_the_answer(agent: Agent) -> None:
    """5,000 lines, all with their request's id, in order."""
    assert printed(agent, "many") == [f"line {number}" for number in range(5_000)]


def test_the_tail_is_the_last_four_kilobytes(agent: Agent) -> None:
    """Complete to the report, whatever was printed before."""
    tail = agent.invoke("many", headers=TAIL).tail
    assert len(tail.encode()) == 4096
    *_, last, end, report = tail.splitlines()
    assert last == "line 4999"
    assert end.startswith("END RequestId: ")
    assert report.startswith("REPORT RequestId: ")
    assert "Pilotlight-Log-Tail" not in agent.invoke("nothing").headers


def test_long_and_binary_lines(agent: Agent) -> None:
    """Cut and marked, replaced, and what follows is whole."""
    long, after = printed(agent, "long")
    assert after == "after"
    assert len(long) < 262_200
    assert printed(agent, "binary") == ["\ufffd\ufffd\x00 bytes"]


def test_unfinished_lines_belong_to_their_invocation(agent: Agent) -> None:
    """The next invocation begins on a line of its own."""
    assert printed(agent, "unfinished") == ["no end"]
    assert printed(agent, "again") == []


def test_children_print_too(agent: Agent) -> None:
    """They have the same standard output."""
    assert printed(agent, "child") == ["from a child"]


def test_a_flood_stops_neither_function_nor_agent(tmp_path: Path) -> None:
    """A thread that never stops printing: invocations go on beside it."""
    with specialised(tmp_path, {"main.py": FUNCTION}, timeout=10) as agent:
        for event in ("flood", "one", "two"):
            assert agent.invoke(event).json == event
        assert agent.request("GET", "/v1/status").json["environments"][0]["state"] == "idle"


def test_a_function_without_output_still_answers(tmp_path: Path) -> None:
    """It closed its own standard output; the answer has another way."""
    with specialised(tmp_path, {"main.py": FUNCTION}) as agent:
        assert agent.invoke("closed").json == "closed"
        assert agent.invoke("next").json == "next"


def test_platform_lines_below_the_system_log_level_are_not_written(tmp_path: Path) -> None:
    """Log tail and report say the same as ever: neither is the log."""
    code = "def handler(event, context):\n    print('hello')\n    return 1 / event"
    files = {"main.py": code}
    with specialised(tmp_path, files, log_format="JSON", system_log_level="WARN") as agent:
        fine = agent.invoke(1, request_id="fine", headers=TAIL)
        failed = agent.invoke(0, request_id="failed", headers=TAIL)
        lines = agent.journal.lines("failed")
    written = [e["line"] for e in agent.journal.events if e.get("requestId") == "fine"]
    assert written == ["hello"]
    assert [json.loads(line)["type"] for line in lines if "platform." in line] == [
        "platform.report"
    ]
    for reply in (fine, failed):
        assert ["platform.start" in reply.tail, "platform.report" in reply.tail] == [True, True]
        assert reply.report["billedMs"] >= 1
