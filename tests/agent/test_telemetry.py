"""The Telemetry API and the Logs API: what extensions hear of an environment, and when."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from contextlib import contextmanager
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent import Agent, specialised
from tests.support.extension import install
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FUNCTION = {
    "main.py": "print('runtime starts')\n"
    "import os\n"
    "def handler(event, context):\n"
    "    print('called')\n"
    "    if event:\n"
    "        os._exit(event)\n"
    "    return 'done'\n"
}
TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"
TRACED = {"Pilotlight-Trace-Id": "Root=1-2-3;Sampled=1"}
INIT = ["platform.initStart", "platform.initRuntimeDone", "platform.initReport"]


class Listener:
    """What an extension listens with: every event that came, in order."""

    def __init__(self) -> None:
        self.port = free_port()
        self._events: Queue[Any] = Queue()
        self.events: list[Any] = []

    def until(self, kind: str) -> list[Any]:
        """Wait for an event of a type; returns all up to it."""
        while not self.events or self.events[-1]["type"] != kind:
            self.events.append(self._events.get(timeout=10))
        return self.events

    @contextmanager
    def listening(self, *, tcp: bool = False) -> Iterator[None]:
        """Take events during a block."""
        took = self._events

        class Http(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for event in json.loads(body):
                    took.put(event)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    took.put(json.loads(line))

        with socketserver.ThreadingTCPServer(
            ("127.0.0.1", self.port), Tcp if tcp else Http
        ) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


@contextmanager
def subscribed(
    folder: Path, path: str, listener: Listener, *, tcp: bool = False, **choices: Any
) -> Iterator[Agent]:
    """Run an agent with an extension that is told everything."""
    where: dict[str, object] = {"protocol": "HTTP", "URI": f"http://localhost:{listener.port}/in"}
    if tcp:
        where = {"protocol": "TCP", "port": listener.port}
    wanted = {
        "types": ["platform", "function", "extension"],
        "buffering": {"timeoutMs": 25},
        "destination": where,
    }
    install(folder, "teller")
    variables = {"EXTENSION_SUBSCRIBES": f"{path} {json.dumps(wanted)}"}
    with specialised(folder, FUNCTION, environment=variables, **choices) as agent:
        yield agent


@pytest.mark.parametrize("tcp", [False, True])
def test_everything_is_told_in_its_order(tmp_path: Path, *, tcp: bool) -> None:
    """From the beginning of the initialisation on, though the subscription came later."""
    listener = Listener()
    with listener.listening(tcp=tcp), subscribed(tmp_path, TELEMETRY, listener, tcp=tcp) as agent:
        agent.invoke(0, request_id="r-1", headers=TRACED)
        events = listener.until("platform.report")
    kinds = [event["type"] for event in events]
    assert kinds[0] == INIT[0]
    assert [kind for kind in kinds if kind in INIT] == INIT
    assert kinds.index("platform.telemetrySubscription") < kinds.index("function")
    assert kinds.index("platform.extension") < kinds.index("platform.start")
    records = {event["type"]: event["record"] for event in events}
    assert records["platform.telemetrySubscription"] == {
        "name": "teller", "state": "Subscribed", "types": ["extension", "function", "platform"],
    }  # fmt: skip
    assert [event["record"] for event in events if event["type"] == "function"] == [
        "runtime starts", "called",
    ]  # fmt: skip
    assert any(str(event["record"]).startswith("teller registered") for event in events)
    assert records["platform.start"]["requestId"] == "r-1"
    tracing = {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3;Sampled=1"}
    done = records["platform.runtimeDone"]
    assert (done["status"], done["tracing"]) == ("success", tracing)
    assert done["metrics"]["producedBytes"] == len('"done"')
    assert records["platform.report"]["metrics"]["memorySizeMB"] == 256
    assert records["platform.initReport"]["metrics"]["durationMs"] > 0
    assert all(event["time"].endswith("Z") for event in events)


def test_the_logs_api_tells_what_it_always_told(tmp_path: Path) -> None:
    listener = Listener()
    with listener.listening(), subscribed(tmp_path, LOGS, listener) as agent:
        agent.invoke(0, request_id="r-1")
        kinds = [event["type"] for event in listener.until("platform.report")]
    assert not {*INIT} & {*kinds}
    assert {"platform.logsSubscription", "platform.start", "platform.end", "function"} <= {*kinds}


def test_a_call_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    """And so is the next initialisation, to the extensions that were started for it."""
    listener = Listener()
    with listener.listening(), subscribed(tmp_path, TELEMETRY, listener, timeout=20) as agent:
        assert agent.invoke(7, request_id="r-1").failed
        assert agent.invoke(0, request_id="r-2").json == "done"
        listener.until("platform.report")
        listener.events.append(listener.events[-1] | {"type": "of r-1"})
        events = listener.until("platform.report")
    statuses = [one["record"]["status"] for one in events if "runtimeDone" in one["type"]]
    assert statuses == ["error", "success"]
    again = [one["record"] for one in events if one["type"] == "platform.initStart"][1]
    assert again == {"initializationType": "on-demand", "phase": "invoke"}


def test_who_listens_late_misses_nothing(tmp_path: Path) -> None:
    listener = Listener()
    with subscribed(tmp_path, TELEMETRY, listener) as agent:
        agent.invoke(0)
        with listener.listening():
            assert listener.until("platform.report")[0]["type"] == "platform.initStart"


def test_lines_in_json_are_documents(tmp_path: Path) -> None:
    listener = Listener()
    with (
        listener.listening(),
        subscribed(tmp_path, TELEMETRY, listener, log_format="JSON") as agent,
    ):
        agent.invoke(0)
        events = listener.until("platform.report")
    told = [event["record"] for event in events if event["type"] == "function"]
    assert told[-1] == "called"  # what `print` writes is no document
