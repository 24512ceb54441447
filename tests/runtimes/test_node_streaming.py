"""`awslambda.streamifyResponse`: what a function writes, and every way in which it may end."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.agent import Agent
from tests.support.node import node_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.agent import Reply

VERSIONS = ("nodejs22.x", "nodejs24.x")
PRELUDE = "application/vnd.awslambda.http-integration-response"
CASES = """
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
const cases = {
  async pieces(stream) { stream.write("a"); stream.write(Buffer.from("b")); stream.end("c"); },
  async typed(stream) { stream.setContentType("text/css"); stream.end("x"); },
  async objects(stream) { stream.write({ a: 1 }); stream.end([2]); },
  async nothing(stream) { stream.end(); },
  async prelude(stream) {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    stream.write("body");
    stream.end();
  },
  async once(stream) { awslambda.HttpResponseStream.from(stream, {}).end("body"); },
  async piped(stream) { await pipeline(Readable.from(["1", "2", "3"]), stream); },
  async large(stream) { stream.end(Buffer.alloc(3_000_000, "x")); },
  async tooLarge(stream) { stream.end(Buffer.alloc(6_291_557, "x")); },
  async returns(stream) { stream.end("x"); return 7; },
  async late(stream) { stream.write("x"); stream.setContentType("text/css"); },
  async fails(stream) { stream.write("x"); throw new RangeError("no"); },
  async destroys(stream) { stream.write("x"); stream.destroy(new RangeError("no")); },
  async unfinished(stream) { stream.write("x"); stream.destroy(); },
  async forgotten(stream) { stream.write("x"); },
  plain(stream) { stream.end("x"); },
  async after(stream) { stream.end("x"); stream.write("y"); },
  async context(stream, context) { stream.end(context.functionName + context.awsRequestId); },
};
export const handler = awslambda.streamifyResponse(
  (event, stream, context) => cases[event.case](stream, context),
  { highWaterMark: 10 },
);
"""
STREAM = {"Pilotlight-Stream": "1"}


@contextmanager
def running(folder: Path, runtime: str) -> Iterator[Agent]:
    """Run an agent whose function does what its event says."""
    with Agent(folder, python=node_of(runtime)) as agent:
        agent.specialise(
            {"index.mjs": CASES}, runtime=runtime, handler="index.handler", timeout=10, memory=256
        )
        agent.journal.wait_for_state("idle")
        yield agent


def ask(agent: Agent, case: str, *, stream: bool = True) -> Reply:
    """Have one case run."""
    return agent.invoke({"case": case}, headers=STREAM if stream else {})


@pytest.mark.parametrize("runtime", VERSIONS)
def test_what_is_written_is_the_answer(tmp_path: Path, runtime: str) -> None:
    """Whether it is wanted as it comes or whole."""
    octets = "application/octet-stream"
    written = {
        "pieces": (octets, b"abc"),
        "typed": ("text/css", b"x"),
        "objects": (octets, b'{"a":1}[2]'),
        "nothing": (octets, b""),
        "prelude": (PRELUDE, b'{"statusCode":201}' + bytes(8) + b"body"),
        "once": (PRELUDE, b"{}" + bytes(8) + b"body"),
        "piped": (octets, b"123"),
        "large": (octets, b"x" * 3_000_000),
        "returns": (octets, b"x"),
    }
    with running(tmp_path, runtime) as agent:
        for stream in (True, False):
            for case, (content_type, body) in written.items():
                reply = ask(agent, case, stream=stream)
                assert (reply.headers["Content-Type"], reply.body) == (content_type, body), case
                assert not reply.failed
        agent.journal.wait(lambda event: "ignore return values." in event.get("line", ""))
        context = agent.invoke({"case": "context"}, request_id="r-1").body
        assert context == b"fnr-1"
        assert ask(agent, "tooLarge", stream=False).json["errorType"] == (
            "Function.ResponseSizeTooLarge"
        )
        assert len(ask(agent, "tooLarge").body) == 6_291_557


@pytest.mark.parametrize("runtime", VERSIONS)
def test_an_answer_that_goes_wrong_is_an_error(tmp_path: Path, runtime: str) -> None:
    """And the next one is served."""
    errors = {
        "late": ("InvalidStreamingOperation", "Cannot set content-type, too late."),
        "fails": ("RangeError", "no"),
        "destroys": ("RangeError", "no"),
        "unfinished": ("Error", "Response stream is not finished."),
        "plain": ("Error", "Streaming does not support non-async handlers."),
        "after": ("Error", "write after end"),
        "forgotten": ("Runtime.NodeJsExit", "never settled"),
    }
    with running(tmp_path, runtime) as agent:
        for case, (kind, message) in errors.items():
            reply = ask(agent, case, stream=False)
            assert reply.failed, case
            assert kind in reply.json["errorType"], case
            assert message in reply.json["errorMessage"], case
        assert ask(agent, "pieces").body == b"abc"


def test_a_handler_of_three_arguments_is_no_callback(tmp_path: Path) -> None:
    """Which Node.js 24 would refuse."""
    code = """exports.handler = awslambda.streamifyResponse(
      async function (event, stream, context) { stream.end(JSON.stringify(event)); });"""
    with Agent(tmp_path, python=node_of("nodejs24.x")) as agent:
        agent.specialise({"index.js": code}, runtime="nodejs24.x", handler="index.handler")
        assert json.loads(agent.invoke({"a": 1}, headers=STREAM).body) == {"a": 1}
