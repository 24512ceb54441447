"""Several calls at once in one environment, in runtimes that support it."""

from __future__ import annotations

import http.client
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.support.agent import TOKEN, Agent, Reply
from tests.support.extension import install
from tests.support.node import node_of

if TYPE_CHECKING:
    from pathlib import Path

CALLS = 4
PYTHON = """
import os, tempfile, time
count = 0
kept = []

def handler(event, context):
    global count
    count += 1
    print("call", event["n"])
    open(os.path.join(os.environ["MEET"], str(event["n"])), "w").close()
    while len(os.listdir(os.environ["MEET"])) < event["meet"]:
        time.sleep(0.01)
    if event.get("do") == "exit":
        os._exit(3)
    if event.get("do") == "fill":
        kept.append(bytearray(200 << 20))
    time.sleep(event.get("seconds", 0))
    return {"pid": os.getpid(), "count": count, "folder": tempfile.gettempdir()}
"""
NODE = """
import fs from "node:fs";
let count = 0;
const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

export const handler = async (event, context) => {
  count += 1;
  console.log("call", event.n);
  fs.writeFileSync(`${process.env.MEET}/${event.n}`, "");
  while (fs.readdirSync(process.env.MEET).length < event.meet) await wait(0.01);
  if (event.do === "throw") setTimeout(() => { throw new Error("nobody catches it"); });
  while (event.do === "block");
  await wait(event.seconds ?? 0);
  return { pid: process.pid, count, trace: context.xRayTraceId };
};
"""
PIECES, PIECE = 400, 100_000
STREAM = """
import { once } from "node:events";
let written = 0;
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  for (let n = 0; n < event.pieces; n += 1) {
    if (!stream.write("x".repeat(100_000))) await once(stream, "drain");
    if (event.pieces > 1) written += 1;
  }
  stream.end(event.pieces ? undefined : String(written));
});
"""
CLIENT = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT"
exec {sys.executable} -m awslambdaric main.handler
"""


class Calls:
    """Callers of one environment, whose calls meet in a folder before they go on."""

    def __init__(self, agent: Agent, files: dict[str, str], **choices: Any) -> None:
        self.agent = agent
        self.meet = agent.folder / "meet"
        self.meet.mkdir()
        variables = {"MEET": str(self.meet), **choices.pop("environment", {})}
        reply = agent.specialise(
            files, calls_per_environment=CALLS, environments=CALLS, environment=variables, **choices
        )
        self.slots = [one["id"] for one in reply.json["environments"]]

    def __call__(self, *events: dict[str, Any]) -> list[Reply]:
        """Call by as many slots as there are events; each runs only once all do."""
        for path in self.meet.iterdir():
            path.unlink()
        meet = sum(event.get("do") != "wait" for event in events)

        def invoke(number: int) -> Reply:
            headers = {"Pilotlight-Log-Tail": "1", "Pilotlight-Trace-Id": f"Root={number}"}
            event = {"n": number, "meet": meet, **events[number]}
            return self.agent.invoke(event, environment=self.slots[number], headers=headers)

        with ThreadPoolExecutor(len(events)) as pool:
            return list(pool.map(invoke, range(len(events))))


def check_tails(replies: list[Reply]) -> None:
    """Each has its own line of the function's, and nobody else's."""
    for number, reply in enumerate(replies):
        own = [line for line in reply.tail.splitlines() if "call" in line]
        assert [line.split("call ")[1] for line in own] == [str(number)]


def error_types(replies: list[Reply]) -> list[str | None]:
    """Return how each failed, None where it did not."""
    return [reply.json.get("errorType") for reply in replies]


def test_nodes_calls_share_a_process(tmp_path: Path) -> None:
    """And its memory; one that nobody catches ends them all, one that blocks is ended."""
    with Agent(tmp_path, python=node_of("nodejs24.x")) as agent:
        choices = {"runtime": "nodejs24.x", "handler": "index.handler", "timeout": 2}
        call = Calls(agent, {"index.mjs": NODE}, **choices)
        replies = call({}, {}, {}, {})
        assert {reply.json["pid"] for reply in replies} == {replies[0].json["pid"]}
        assert max(reply.json["count"] for reply in replies) == CALLS
        assert [reply.json["trace"] for reply in replies] == [f"Root={n}" for n in range(CALLS)]
        check_tails(replies)

        replies = call({"seconds": 60}, {"seconds": 1})
        assert error_types(replies) == ["Sandbox.Timedout", None]

        replies = call({"do": "throw", "seconds": 60}, {"seconds": 60})
        assert error_types(replies) == ["Runtime.ExitError"] * 2
        assert "exit status 129" in replies[1].tail

        assert error_types(call({"do": "block"})) == ["Sandbox.Timedout"]
        assert error_types(call({})) == [None]


def test_a_gateway_is_told_that_a_function_cannot_be_initialised(tmp_path: Path) -> None:
    """It keeps few environments of such a one, however many calls each would take at once."""
    with Agent(tmp_path, python=node_of("nodejs24.x")) as agent:
        choices = {"runtime": "nodejs24.x", "handler": "index.handler"}
        replies = Calls(agent, {"index.mjs": "throw new Error('never');"}, **choices)({}, {})
        assert [reply.headers["Pilotlight-Initialised"] for reply in replies] == ["no"] * 2


def test_a_slow_reader_slows_its_own_call_down_only(tmp_path: Path) -> None:
    """What it does not read stays with the function; the others' answers come by the same way."""
    with Agent(tmp_path, python=node_of("nodejs24.x")) as agent:
        choices = {"runtime": "nodejs24.x", "handler": "index.handler", "timeout": 20}
        call = Calls(agent, {"index.mjs": STREAM}, **choices)
        slow = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=20)
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Pilotlight-Environment": call.slots[3],
            "Pilotlight-Lease": agent.lease,
            "Pilotlight-Request-Id": "slow",
            "Pilotlight-Stream": "1",
        }
        slow.request("POST", "/v1/invoke", json.dumps({"pieces": PIECES}), headers)
        answer = slow.getresponse()
        ahead = call({"pieces": 1}, {"pieces": 1})
        assert [len(reply.body) for reply in ahead] == [PIECE] * 2
        assert agent.invoke({}, environment=call.slots[0]).json < PIECES / 2
        assert len(answer.read()) == PIECES * PIECE
        slow.close()


def test_pythons_calls_have_a_process_each(tmp_path: Path) -> None:
    """Which share /tmp and a limit of memory; one that ends or takes too long ends alone."""
    with Agent(tmp_path) as agent:
        call = Calls(agent, {"main.py": PYTHON}, timeout=3, memory=256)
        replies = call({}, {}, {}, {})
        assert len({reply.json["pid"] for reply in replies}) == CALLS
        assert len({reply.json["folder"] for reply in replies}) == 1
        check_tails(replies)

        replies = call({"do": "exit"}, {"seconds": 60}, {"seconds": 0.1})
        assert error_types(replies) == ["Runtime.ExitError", "Sandbox.Timedout", None]

        replies = call({"do": "fill", "seconds": 60}, {"do": "fill", "seconds": 60})
        assert error_types(replies) == ["Runtime.ExitError"] * 2
        assert replies[0].report["maxMemoryUsedMb"] == 256
        assert error_types(call({}, {})) == [None, None]


def test_awss_client_runs_unmodified(tmp_path: Path) -> None:
    """Its workers poll for themselves; what one says too late it is told."""
    with Agent(tmp_path) as agent:
        search = {"PYTHONPATH": os.pathsep.join(sys.path)}
        files = {"bootstrap": CLIENT, "main.py": PYTHON}
        choices = {"runtime": "provided.al2023", "environment": search}
        call = Calls(agent, files, timeout=2, memory=512, **choices)
        replies = call({}, {}, {}, {})
        assert len({reply.json["pid"] for reply in replies}) == CALLS
        replies = call({"seconds": 2.5}, {"seconds": 0.1})
        assert error_types(replies) == ["Sandbox.Timedout", None]
        agent.journal.wait(lambda e: "Http response code: 410" in e.get("line", ""))
        assert error_types(call({}, {}, {}, {})) == [None] * CALLS


def test_extensions_stand_beside_an_environment_once(tmp_path: Path) -> None:
    """Whether its calls have processes of their own or not; they hear of its end."""
    for name, files, choices in (
        ("python", {"main.py": PYTHON}, {}),
        ("client", {"bootstrap": CLIENT, "main.py": PYTHON}, {"runtime": "provided.al2023"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        with Agent(folder) as agent:
            install(folder, "one")
            search = {"PYTHONPATH": os.pathsep.join(sys.path), "EXTENSION_EVENTS": "SHUTDOWN"}
            call = Calls(agent, files, environment=search, memory=1024, **choices)
            assert error_types(call({}, {}, {}, {})) == [None] * CALLS
            assert agent.request("POST", "/v1/drain").status == 200
            agent.journal.wait(lambda event: "one told" in event.get("line", ""))
            lines = [event.get("line", "") for event in agent.journal.events]
        assert [line.split()[:2] for line in lines if line.startswith("one ")] == [
            ["one", "registered"],
            ["one", "told"],
        ]
