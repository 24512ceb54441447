"""External extensions beside real runtimes: their order, what they are told, and how they break."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Agent, specialised
from tests.support.extension import install

FUNCTION = {"main.py": "print('runtime starts')\ndef handler(event, context):\n    return event\n"}
BOOTSTRAP = {"bootstrap": "#!/bin/sh\necho runtime starts\nexec sleep 100\n"}


def lines(agent: Agent) -> list[str]:
    """Return what was logged so far."""
    return [event["line"] for event in agent.journal.events if "line" in event]


def wait_for(agent: Agent, text: str) -> str:
    """Wait for a line that holds a text."""
    line: str = agent.journal.wait(lambda event: text in event.get("line", ""))["line"]
    return line


def told(line: str) -> Any:
    """Read what an extension says that it was told."""
    return json.loads(line.partition(" told ")[2])


@pytest.mark.parametrize("forked", [False, True])
def test_they_register_before_the_runtime_starts(tmp_path: Path, *, forked: bool) -> None:
    """Are told of each call, and of the end, for which they have time."""
    install(tmp_path, "b-second", "a-first")
    with specialised(tmp_path, FUNCTION, forked=forked) as agent:
        agent.journal.wait_for_state("idle")
        before = lines(agent)
        assert before.index("runtime starts") == 2
        assert sorted(line.split()[0] for line in before[:2]) == ["a-first", "b-second"]
        known = {"functionName": "fn", "functionVersion": "$LATEST", "handler": "main.handler"}
        assert json.loads(before[0].split(" ", 2)[2].rpartition(" ")[0]) == known
        assert before[0].endswith("False"), "a variable that is the runtime's alone"
        assert agent.invoke({"a": 1}, request_id="r-1").json == {"a": 1}
        event = told(wait_for(agent, "a-first told"))
        assert (event["eventType"], event["requestId"]) == ("INVOKE", "r-1")
        assert event["invokedFunctionArn"].endswith("function:fn")
        assert event["deadlineMs"] > 1_700_000_000_000
        assert agent.invoke({}).json == {}
        listed = "EXTENSION\tName: a-first\tState: Ready\tEvents: [INVOKE,SHUTDOWN]"
        assert lines(agent).count(listed) == 1
        assert agent.request("POST", "/v1/drain").status == 200
    for name in ("a-first", "b-second"):
        ended = told([line for line in lines(agent) if line.startswith(f"{name} told")][-1])
        assert (ended["eventType"], ended["shutdownReason"]) == ("SHUTDOWN", "spindown")


def test_a_call_waits_for_what_is_busy_with_the_last_one(tmp_path: Path) -> None:
    """Whose caller has its answer; the time is neither billed nor counted."""
    gate = tmp_path / "gate"
    install(tmp_path, "slow")
    variables = {"EXTENSION_GATE": str(gate)}
    with (
        specialised(tmp_path, FUNCTION, environment=variables, timeout=20) as agent,
        ThreadPoolExecutor() as pool,
    ):
        assert agent.invoke(1).json == 1
        wait_for(agent, "slow told")
        second = pool.submit(agent.invoke, 2, request_id="r-2")
        while agent.request("GET", "/v1/status").json["environments"][0]["state"] != "busy":
            pass
        third = agent.invoke(3)
        assert (third.status, third.json["code"]) == (409, "EnvironmentBusy")
        gate.touch()
        assert second.result().json == 2
        assert second.result().report["durationMs"] < 1000


def test_whoever_outlasts_the_timeout_is_replaced(tmp_path: Path) -> None:
    """On the clock of the call that waits: extension and runtime must start within its timeout."""
    install(tmp_path, "slow")
    variables = {"EXTENSION_GATE": str(tmp_path / "never")}
    with specialised(tmp_path, FUNCTION, environment=variables, timeout=3) as agent:
        assert agent.invoke(1).json == 1
        assert agent.invoke(2, request_id="r-2").json == 2
        agent.journal.lines("r-2")
        assert lines(agent).count("runtime starts") == 2


def test_those_that_want_no_events_hold_up_nobody(tmp_path: Path) -> None:
    install(tmp_path, "quiet")
    with specialised(tmp_path, FUNCTION, environment={"EXTENSION_EVENTS": "SHUTDOWN"}) as agent:
        assert [agent.invoke(number).json for number in range(3)] == [0, 1, 2]
        assert not [line for line in lines(agent) if "INVOKE" in line]


@pytest.mark.parametrize(
    ("does", "kind"),
    [
        ("exit", "Extension.Crash"),
        ("/init/error", "Extension.InitError"),
        ("/exit/error", "Extension.ExitError"),
        ("launch", "Extension.LaunchError"),
    ],
)
def test_one_that_breaks_fails_the_init(tmp_path: Path, does: str, kind: str) -> None:
    """As the runtime's own failures do: it is tried again in the first call."""
    install(tmp_path, "broken", mode=0o644 if does == "launch" else 0o755)
    with specialised(tmp_path, FUNCTION, environment={"EXTENSION_DOES": does}) as agent:
        reply = agent.invoke({}, request_id="r-1")
        assert reply.failed
        assert reply.json["errorType"] == kind
        assert reply.json["errorMessage"].startswith("RequestId: r-1 Error: ")
        assert "broken" in reply.json["errorMessage"]


def test_what_began_beside_one_that_cannot_begin_ends_with_it(tmp_path: Path) -> None:
    """Nothing of the attempt is left, and nothing of it is heard by the next one."""
    install(tmp_path, "a-whole", "b-broken")
    (tmp_path / "opt/extensions/b-broken").chmod(0o644)
    with specialised(tmp_path, FUNCTION) as agent:
        assert agent.invoke({}).json["errorType"] == "Extension.LaunchError"
        (tmp_path / "opt/extensions/b-broken").chmod(0o755)
        assert agent.invoke({"a": 1}).json == {"a": 1}
        started = [str(tmp_path / "opt/extensions/a-whole") in line for line in _commands()]
        assert sum(started) == 1


def _commands() -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may have ended since
            found.append(each.read_text())
    return found


def test_one_that_ends_between_two_calls_is_started_again(tmp_path: Path) -> None:
    """With its runtime; the next call is served."""
    install(tmp_path, "mortal")
    code = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    with specialised(tmp_path, {"main.py": code}) as agent:
        first = agent.invoke({}).json
        wait_for(agent, "mortal told")
        os.kill(_process_of(tmp_path / "opt/extensions/mortal"), signal.SIGKILL)
        agent.journal.wait_for_state("starting", 2)
        assert agent.invoke({}).json != first


def _process_of(program: Path) -> int:
    """Find the process that runs a program."""
    named = Path("/proc").glob("[0-9]*/cmdline")
    return next(int(each.parent.name) for each in named if str(program) in each.read_text())


WRAPPED: dict[str, Any] = {
    "files": FUNCTION,
    "environment": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/run"},
}
CUSTOM: dict[str, Any] = {"files": BOOTSTRAP, "runtime": "provided.al2023", "environment": {}}


@pytest.mark.parametrize("choices", [WRAPPED, CUSTOM], ids=["wrapped", "custom"])
def test_an_extension_that_serves_the_function(tmp_path: Path, choices: dict[str, Any]) -> None:
    """It asks the Runtime API itself, as the Lambda Web Adapter does.

    That runs the web server as a bootstrap, or by a wrapper in the place of a managed runtime.
    """
    install(tmp_path, "adapter")
    program = tmp_path / "opt/extensions/adapter"
    program.write_text(
        program.read_text().partition("while True:")[0]
        + """
import threading
def poll():
    ask("GET", "/event/next", mine)
threading.Thread(target=poll, daemon=True).start()
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    runtime.request(method, f"/2018-06-01/runtime/invocation/{path}", body)
    answer = runtime.getresponse()
    return answer, answer.read()
while True:
    answer, event = call("GET", "next")
    call("POST", answer.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", event)
"""
    )
    wrapper = tmp_path / "opt/run"
    wrapper.write_text(BOOTSTRAP["bootstrap"])
    wrapper.chmod(0o755)
    variables = choices["environment"] | {"EXTENSION_EVENTS": "SHUTDOWN"}
    with specialised(tmp_path, **choices | {"environment": variables}) as agent:
        assert agent.invoke({"a": 1}).json == {"a": 1}
        assert agent.invoke([2]).json == [2]
