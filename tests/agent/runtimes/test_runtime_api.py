"""The Runtime API to the letter, with the test itself as the runtime.

The bootstrap only tells where the API is and sleeps; everything that a runtime would say, right or
wrong, is said here.
"""

import base64
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from pilotlight_agent.http.request import Request
from pilotlight_agent.invocations.invocation import Invocation
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from tests.support.agent import Agent, Reply, specialised

BOOTSTRAP = '#!/bin/sh\necho "api=$AWS_LAMBDA_RUNTIME_API"\nexec sleep 1000\n'
NEXT = "/2018-06-01/runtime/invocation/next"
INVOCATION = "/2018-06-01/runtime/invocation"
INIT_ERROR = "/2018-06-01/runtime/init/error"
LARGEST = 6_291_556


class Runtime:
    """A runtime's end of the conversation, and the caller's."""

    def __init__(self, agent: Agent, pool: ThreadPoolExecutor) -> None:
        self.agent = agent
        self._pool = pool
        event = agent.journal.wait(lambda e: e.get("line", "").startswith("api="))
        self.address = event["line"].removeprefix("api=")
        self.headers: dict[str, str] = {}

    def invoke(self, event: Any = None, **choices: Any) -> Future[Reply]:
        """Let a caller invoke the function."""
        return self._pool.submit(self.agent.invoke, event, **choices)

    def call(
        self, method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Make one call on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def next(self) -> Reply:
        """Ask for the next event."""
        return self.call("GET", NEXT)

    def take(self, future: Future[Reply]) -> tuple[str, Future[Reply]]:
        """Take an event and give the id of its request."""
        return self.next().headers["Lambda-Runtime-Aws-Request-Id"], future

    def respond(self, request_id: str, body: Any = b'"ok"', **headers: str) -> Reply:
        """Answer an event."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", f"{INVOCATION}/{request_id}/response", body, named)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A runtime that has been started and has said nothing yet."""
    files = {"bootstrap": BOOTSTRAP}
    with (
        ThreadPoolExecutor() as pool,
        specialised(tmp_path, files, runtime="provided.al2023", timeout=20) as agent,
    ):
        yield Runtime(agent, pool)


def refusal(reply: Reply) -> tuple[int, str]:
    """Return status and error type of a refusal."""
    assert set(reply.json) == {"errorMessage", "errorType"}
    return reply.status, reply.json["errorType"]


def test_an_event_and_its_answer(runtime: Runtime) -> None:
    """Everything that `next` has to say, and the answer's way back."""
    context = base64.b64encode(b'{"custom": {"a": "\xc3\xa9"}}').decode()
    future = runtime.invoke(
        {"a": 1},
        request_id="id-1",
        headers={
            "Pilotlight-Trace-Id": "Root=1-2-3",
            "Pilotlight-Client-Context": context,
            "Pilotlight-Cognito-Identity": '{"cognitoIdentityId":"i"}',
        },
    )
    event = runtime.next()
    assert event.status == 200
    assert event.json == {"a": 1}
    headers = dict(event.headers)
    assert int(headers.pop("Lambda-Runtime-Deadline-Ms")) > 1_700_000_000_000
    assert headers == {
        "Content-Type": "application/json",
        "Content-Length": "8",
        "Lambda-Runtime-Aws-Request-Id": "id-1",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:fn",
        "Lambda-Runtime-Trace-Id": "Root=1-2-3",
        "Lambda-Runtime-Client-Context": '{"custom": {"a": "\\u00e9"}}',
        "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"i"}',
    }
    posted = runtime.respond("id-1", b"\x00raw", Content_Type="application/x-thing")
    assert (posted.status, posted.json) == (202, {"status": "OK"})
    answer = future.result()
    assert answer.body == b"\x00raw"
    assert answer.headers["Content-Type"] == "application/x-thing"
    assert not answer.failed


def test_empty_headers_are_omitted(runtime: Runtime) -> None:
    """What the caller did not send is not there."""
    request_id, future = runtime.take(runtime.invoke(1, request_id="a"))
    runtime.respond(request_id)
    later = runtime.invoke(2, request_id="b")
    event = runtime.next()
    assert {name for name in event.headers if name.startswith("Lambda")} == {
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invoked-Function-Arn",
    }
    runtime.respond("b")
    assert [future.result().json, later.result().json] == ["ok", "ok"]


def test_an_event_waits_for_the_runtime_and_the_other_way_round(runtime: Runtime) -> None:
    """`next` has no timeout, and an answered runtime need not hurry to ask again."""
    with ThreadPoolExecutor() as pool:
        polling = pool.submit(runtime.next)
        runtime.agent.journal.wait_for_state("idle")
        first = runtime.invoke(1, request_id="1")
        assert polling.result().json == 1
    runtime.respond("1")
    first.result()
    second = runtime.invoke(2, request_id="2")
    runtime.agent.journal.wait(lambda e: e.get("line", "").startswith("START RequestId: 2"))
    assert runtime.next().json == 2
    runtime.respond("2")
    assert second.result().json == "ok"


def test_an_error_is_the_callers_answer(runtime: Runtime) -> None:
    """Its document goes through as it is; unknown types become Runtime.Unknown in reports."""
    request_id, future = runtime.take(runtime.invoke(1))
    document = b'{"errorMessage":"m","errorType":"MyError","stackTrace":["a"]}'
    reply = runtime.call(
        "POST",
        f"{INVOCATION}/{request_id}/error",
        document,
        {"Lambda-Runtime-Function-Error-Type": "MyError"},
    )
    assert (reply.status, reply.json) == (202, {"status": "OK"})
    answer = future.result()
    assert answer.failed
    assert answer.body == document
    assert answer.report["status"] == "error"


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("end", [RuntimeApi.catch_up, lambda api: ask(api, b"GET", b"next")])
def test_an_error_may_be_held(holds: bool, end: Callable[[RuntimeApi], None]) -> None:  # noqa: FBT001  a table
    """Of a runtime that logs it after it was posted: until that asks again, or ends."""
    api, listener = RuntimeApi(Mock(), Mock(), Mock()), Mock()
    api.attach(listener, holds_errors=holds)
    ask(api, b"GET", b"next")
    api.deliver(Invocation("1", b"{}", "", "", "", "", "", "", 0, Mock()))
    ask(api, b"POST", b"1/error")
    assert listener.on_result.call_count == (not holds)
    end(api)
    listener.on_result.assert_called_once()


def ask(api: RuntimeApi, method: bytes, path: bytes) -> None:
    """Have a call served whose answer does not matter."""
    target = b"/2018-06-01/runtime/invocation/" + path
    api._serve(Request(method, target, {}, keep_alive=True), Mock(closed=False))


def test_wrong_ids_and_wrong_states(runtime: Runtime) -> None:
    """400 for an id that is not the current one, 403 for what is not due."""
    assert refusal(runtime.respond("nothing-yet")) == (400, "InvalidRequestID")
    request_id, future = runtime.take(runtime.invoke(1, request_id="one"))
    assert refusal(runtime.respond("other")) == (400, "InvalidRequestID")
    assert refusal(runtime.next()) == (403, "InvalidStateTransition")
    assert refusal(runtime.call("POST", INIT_ERROR, b"{}")) == (403, "InvalidStateTransition")
    assert runtime.respond(request_id).status == 202
    assert refusal(runtime.respond(request_id)) == (403, "InvalidStateTransition")
    error = runtime.call("POST", f"{INVOCATION}/{request_id}/error", b"{}")
    assert refusal(error) == (403, "InvalidStateTransition")
    assert error.json["errorMessage"] == (
        "State transition from InvocationResponse to InvocationErrorResponse failed for runtime. "
        "Error: State transition is not allowed"
    )
    assert future.result().json == "ok"


def test_unknown_paths(runtime: Runtime) -> None:
    """Plain 404; ping answers."""
    assert runtime.call("GET", "/2018-06-01/nothing").status == 404
    assert runtime.call("POST", NEXT).status == 404
    assert runtime.call("GET", "/other").status == 404
    assert runtime.call("GET", "/2018-06-01/ping").body == b"pong"


@pytest.mark.parametrize("excess", [0, 1])
def test_the_largest_response(runtime: Runtime, excess: int) -> None:
    """Exact to the byte; the caller reads Lambda's words, the runtime 413."""
    request_id, future = runtime.take(runtime.invoke(1))
    reply = runtime.respond(request_id, b"x" * (LARGEST + excess))
    answer = future.result()
    if excess:
        assert refusal(reply) == (413, "RequestEntityTooLarge")
        assert answer.json["errorType"] == "Function.ResponseSizeTooLarge"
    else:
        assert reply.status == 202
        assert len(answer.body) == LARGEST
    next_id, future = runtime.take(runtime.invoke(2))
    runtime.respond(next_id)
    assert future.result().json == "ok"


def test_streamed_responses_are_collected(runtime: Runtime) -> None:
    """Chunks become one body; any other mode is refused and changes nothing."""
    request_id, future = runtime.take(runtime.invoke(1))
    mode = "Lambda_Runtime_Function_Response_Mode"
    wrong = runtime.respond(request_id, b"x", **{mode: "sideways"})
    assert refusal(wrong) == (400, "InvalidFunctionResponseMode")
    chunks = iter([b'["a",', b'"b"]'])
    assert runtime.respond(request_id, chunks, **{mode: "streaming"}).status == 202
    assert future.result().json == ["a", "b"]


def raw_response(runtime: Runtime, request_id: str, rest: bytes) -> bytes:
    """Post a response byte by byte as a broken or clever client would."""
    host, port = runtime.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        path = f"{INVOCATION}/{request_id}/response"
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode() + rest)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_trailers_may_turn_a_stream_into_an_error(runtime: Runtime) -> None:
    """The error's body comes in base64."""
    request_id, future = runtime.take(runtime.invoke(1))
    document = b'{"errorType":"Function.Late","errorMessage":"m"}'
    answer = raw_response(
        runtime,
        request_id,
        b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
        b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        b"4\r\npart\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.Late\r\n"
        b"Lambda-Runtime-Function-Error-Body: " + base64.b64encode(document) + b"\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 202")
    assert future.result().failed
    assert future.result().body == document


@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 100\r\n\r\nshort", b"Transfer-Encoding: chunked\r\n\r\n9\r\nshort"],
)
def test_truncated_responses_are_errors(runtime: Runtime, rest: bytes) -> None:
    """Half an answer never looks like a whole one."""
    request_id, future = runtime.take(runtime.invoke(1))
    answer = raw_response(runtime, request_id, rest)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"TruncatedHTTPRequest" in answer
    assert future.result().failed
    assert future.result().json["errorType"] == "Runtime.TruncatedResponse"


def test_expect_continue_is_honoured(runtime: Runtime) -> None:
    """Curl waits a second for it before every large body."""
    request_id, future = runtime.take(runtime.invoke(1))
    host, port = runtime.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        path = f"{INVOCATION}/{request_id}/response"
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
        client.sendall(head.encode() + b"\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b'"ok"')
        assert client.recv(100).startswith(b"HTTP/1.1 202")
    assert future.result().json == "ok"


def test_init_errors_are_tried_again_in_the_invocation(tmp_path: Path) -> None:
    """The first is the init phase's, the second is the caller's answer."""
    document = {"errorMessage": "no", "errorType": "Runtime.NoConfig", "stackTrace": []}
    bootstrap = f"""#!{__import__("sys").executable}
import http.client, json, os, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
connection.request("POST", "{INIT_ERROR}", {json.dumps(document)!r},
    {{"Lambda-Runtime-Function-Error-Type": "Runtime.NoConfig"}})
connection.getresponse()
time.sleep(60)
"""
    with specialised(tmp_path, {"bootstrap": bootstrap}, runtime="provided.al2023") as agent:
        agent.journal.wait_for_state("idle")
        reply = agent.invoke({}, request_id="r")
        assert reply.json == document
        assert reply.failed
        *_, report, start, _end, _report = agent.journal.lines("r")
        assert "Phase: invoke\tStatus: error\tError Type: Runtime.NoConfig" in report
        assert start.startswith("START")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"main.py": ""}, "Runtime.InvalidEntrypoint"),
        ({"bootstrap": "#!/no/such/interpreter\n"}, "Runtime.InvalidEntrypoint"),
        ({"bootstrap": "#!/bin/sh\nexit 0\n"}, "Runtime.ExitError"),
        ({"bootstrap": "#!/bin/sh\nexit 127\n"}, "Runtime.ExitError"),
    ],
)
def test_bootstraps_that_do_not_start(tmp_path: Path, files: dict[str, str], kind: str) -> None:
    """Missing, broken, or ended at once: an answer, not a hanging request."""
    with specialised(tmp_path, files, runtime="provided.al2023") as agent:
        for _ in range(2):
            assert agent.invoke({}).json["errorType"] == kind


def test_a_wrapper_starts_the_managed_runtime(tmp_path: Path) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER gets the runtime's command line."""
    files = {
        "main.py": "import os\ndef handler(e, c): return os.environ.get('WRAPPED')",
        "bootstrap": '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n',
    }
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": str(tmp_path / "task" / "bootstrap")}
    with specialised(tmp_path, files, environment=wrapper) as agent:
        assert agent.invoke({}).json == "yes"


def test_managed_python_finds_the_api_too(tmp_path: Path) -> None:
    """Code that looks for it gets an answer, and cannot answer for somebody else."""
    code = """
import http.client, os
def handler(event, context):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request("POST", "/2018-06-01/runtime/invocation/x/response", b"{}")
    return connection.getresponse().status
"""
    with specialised(tmp_path, {"main.py": code}) as agent:
        assert agent.invoke({}).json == 400
