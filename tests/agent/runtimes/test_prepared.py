"""A process that waits: taken where nobody can tell the difference, else let go."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent import Agent, waiting
from tests.support.node import node_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNTIME = "nodejs24.x"
REQUEST = "11111111-0000-4000-8000-000000000000"
CODE = """
import { execFileSync } from "node:child_process";
import fs from "node:fs";
const started = { variables: { ...process.env }, folder: process.cwd() };
started.input = fs.readlinkSync("/proc/self/fd/0");
started.descriptors = fs.readdirSync("/proc/self/fd").length;
export const handler = async (event) => {
  if (event === "exit") process.exit(3);
  const child = execFileSync("/usr/bin/env").toString().split("\\n").sort();
  return { ...started, pid: process.pid, argv: process.argv, options: process.execArgv, child };
};
"""


@contextmanager
def prepared(folder: Path, memory: int = 256) -> Iterator[tuple[Agent, int]]:
    """Run an agent with a process that waits; gives its id, too."""
    with Agent(folder, *waiting(RUNTIME, memory), python=node_of(RUNTIME)) as agent:
        agent.wait_until_prepared()
        (pid,) = children(agent)
        yield agent, pid


def children(agent: Agent) -> list[int]:
    pid = agent.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def specialise(agent: Agent, **choices: Any) -> None:
    reply = agent.specialise(
        {"index.mjs": CODE}, runtime=RUNTIME, handler="index.handler", timeout=10, **choices
    )
    assert reply.status == 200


def test_its_function_finds_what_it_finds_else(tmp_path: Path) -> None:
    """Variables, also of what it starts, folder, arguments, options, input and descriptors."""
    own = {"GREETING": "häl=lo\nthere", "NODE_ENV": "test", "EMPTY": ""}
    found = []
    for name in ("plain", "waiting"):
        (tmp_path / name).mkdir()
        options = waiting(RUNTIME) if name == "waiting" else ()
        with Agent(tmp_path / name, *options, python=node_of(RUNTIME)) as agent:
            agent.wait_until_prepared()
            specialise(agent, environment=own)
            told = agent.invoke({}).json
            assert told.pop("pid") == children(agent)[-1]
            of_its_own = (agent.environment, str(agent.port), name)
            found.append(_without(told, *of_its_own))
    assert found[0] == found[1]
    assert found[1]["variables"]["GREETING"] == own["GREETING"]


def _without(told: Any, *words: str) -> Any:
    """Leave out what differs from environment to environment: ids, ports, tokens, folders."""
    each = ("STREAM", "_API", "TOKEN")
    variables = {
        name: value for name, value in told["variables"].items()
        if not any(word in value for word in words) and not any(kind in name for kind in each)
    }  # fmt: skip
    child = [line for line in told["child"] if line.partition("=")[0] in variables]
    options = [option for option in told["options"] if not any(word in option for word in words)]
    rest = {name: told[name] for name in ("input", "descriptors")}
    return rest | {
        "variables": variables, "child": child, "options": options, "argc": len(told["argv"])
    }  # fmt: skip


def test_the_process_that_waits_becomes_the_functions(tmp_path: Path) -> None:
    with prepared(tmp_path) as (agent, pid):
        specialise(agent)
        assert agent.invoke({}, request_id=REQUEST).json["pid"] == pid
        assert "Init Duration" in agent.journal.lines(REQUEST)[-1]


@pytest.mark.parametrize(
    ("memory", "own"),
    [
        (512, {}),
        (256, {"NODE_OPTIONS": "--enable-source-maps"}),
        (256, {"TZ": "Europe/Zurich"}),
        (256, {"HOME": "/tmp"}),
        (256, {"LONG": "x" * 70_000}),
    ],
    ids=["memory", "options", "zone", "home", "long"],
)
def test_what_does_not_suit_is_started_plainly(
    tmp_path: Path, memory: int, own: dict[str, str]
) -> None:
    """With the heap and the variables that it is to have; nothing waits any longer then."""
    with prepared(tmp_path) as (agent, pid):
        specialise(agent, memory=memory, environment=own)
        told = agent.invoke({}).json
        assert told["pid"] != pid
        assert f"--max-old-space-size={memory * 9 // 10}" in told["options"]
        assert {name: told["variables"][name] for name in own} == own
        ends(pid)


def ends(pid: int) -> None:
    """Wait for the end of a process."""
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline


def test_who_comes_before_it_waits_does_not_leave_it_there(tmp_path: Path) -> None:
    with Agent(tmp_path, *waiting(RUNTIME), python=node_of(RUNTIME)) as agent:
        while not children(agent):  # it is started once the agent listens
            assert agent.process.poll() is None
        (pid,) = children(agent)
        specialise(agent)
        if agent.invoke({}).json["pid"] != pid:
            ends(pid)


def test_what_it_prints_too_early_is_its_functions(tmp_path: Path) -> None:
    """Such as a warning: the process that is started plainly prints it once more."""
    noisy = tmp_path / "node"
    noisy.write_text(f'#!/bin/sh\necho "a warning"\nexec {node_of(RUNTIME)} "$@"\n')
    noisy.chmod(0o755)
    with Agent(tmp_path, *waiting(RUNTIME), python=str(noisy)) as agent:
        agent.wait_until_prepared()
        specialise(agent)
        agent.invoke({})
        agent.journal.wait(lambda event: event.get("line") == "a warning")


def test_another_process_follows_one_that_ended(tmp_path: Path) -> None:
    with prepared(tmp_path) as (agent, pid):
        specialise(agent)
        assert agent.invoke("exit").json["errorType"] == "Runtime.ExitError"
        assert agent.invoke({}).json["pid"] != pid


def test_one_that_dies_waiting_is_not_missed(tmp_path: Path) -> None:
    with prepared(tmp_path) as (agent, pid):
        os.kill(pid, signal.SIGKILL)
        ends(pid)
        specialise(agent)
        assert agent.invoke({}).json["pid"] != pid


def test_one_that_waits_ends_with_its_agent(tmp_path: Path) -> None:
    """However that ends: its standard input does, too."""
    with prepared(tmp_path) as (agent, pid):
        agent.process.kill()
        ends(pid)


def test_nothing_waits_where_the_memory_is_unknown(tmp_path: Path) -> None:
    with Agent(tmp_path, "--runtime", RUNTIME, python=node_of(RUNTIME)) as agent:
        agent.wait_until_prepared()
        assert children(agent) == []


def test_no_interpreter_is_no_reason_to_wait(tmp_path: Path) -> None:
    """The function that comes is told."""
    with Agent(tmp_path, *waiting(RUNTIME), python="/nowhere/node") as agent:
        agent.wait_until_prepared()
        specialise(agent)
        assert agent.invoke({}).json["errorType"] == "Runtime.InvalidEntrypoint"
