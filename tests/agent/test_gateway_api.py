"""What the agent takes from a gateway, and what it refuses before a runtime sees a byte."""

import base64
import hashlib
import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.agent import TOKEN, Agent, pack, specialised, specification

FUNCTION = """
import os, time

def handler(event, context):
    if event == "wait":
        path = os.environ["GATE"]
        while not os.path.exists(path):
            time.sleep(0.005)
    return {"event": event, "id": context.aws_request_id, "client": bool(context.client_context)}
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """An agent that serves one function."""
    folder = tmp_path_factory.mktemp("agent")
    gate = {"GATE": str(folder / "gate")}
    with specialised(folder, {"main.py": FUNCTION}, environment=gate, timeout=20) as agent:
        yield agent


@pytest.fixture
def generic(tmp_path: Path) -> Iterator[Agent]:
    """An agent that has no revision yet."""
    with Agent(tmp_path) as agent:
        yield agent


def raw(agent: Agent, data: bytes) -> bytes:
    """Send bytes and read until the agent closes the connection."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_probes_need_no_token(agent: Agent) -> None:
    """The kubelet has none."""
    for path in ("/live", "/ready"):
        assert agent.request("GET", path, token="wrong").status == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], TOKEN.upper()])
def test_everything_else_needs_the_token(agent: Agent, token: str) -> None:
    """Any other token is told the same, whatever it asks for."""
    for method, path in (("GET", "/v1/status"), ("POST", "/v1/invoke"), ("GET", "/v1/nothing")):
        reply = agent.request(method, path, token=token)
        assert reply.status == 401
        assert reply.json == {
            "code": "Unauthorized",
            "message": "the token is missing or wrong",
            "retryable": True,
        }


def test_unknown_operations_are_not_found(agent: Agent) -> None:
    """With the token."""
    assert agent.request("GET", "/v1/nothing").json["code"] == "NotFound"
    assert agent.request("GET", "/v1/invoke").status == 404


@pytest.mark.parametrize(
    "data",
    [
        b"GET /live HTTP/1.1\nHost: a\n\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_malformed_requests_close_the_connection(agent: Agent, data: bytes) -> None:
    """What follows them is not served."""
    answer = raw(agent, data + b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert answer.count(b"HTTP/1.1") == 1


def test_requests_on_one_connection_are_answered_in_order(agent: Agent) -> None:
    """Pipelined or not, and a close is honoured."""
    get = b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n"
    answer = raw(agent, get % (b"/live", b"") * 2 + get % (b"/nothing", b"Connection: close\r\n"))
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"HTTP/1.1 401") > answer.rindex(b"HTTP/1.1 200")


def test_invocation_answers_with_report_and_state(agent: Agent) -> None:
    """The body is the function's, the rest is in the headers."""
    reply = agent.invoke({"a": 1}, request_id="r-1", headers={"Pilotlight-Log-Tail": "1"})
    assert reply.json == {"event": {"a": 1}, "id": "r-1", "client": False}
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Pilotlight-Environment-State"] == "idle"
    assert reply.headers["Pilotlight-Free"] == "now"
    assert not reply.failed
    assert reply.report["status"] == "success"
    assert reply.report["billedMs"] >= reply.report["durationMs"]
    assert 5 < reply.report["maxMemoryUsedMb"] < reply.report["memorySizeMb"] == 256
    assert reply.tail.startswith("START RequestId: r-1 Version: $LATEST\n")


def test_only_the_first_invocation_reports_the_initialisation(tmp_path: Path) -> None:
    """And its duration does not contain it."""
    slow = "import time; time.sleep(0.3)\ndef handler(e, c): pass"
    with specialised(tmp_path, {"main.py": slow}) as agent:
        first, second = agent.invoke({}), agent.invoke({})
        assert first.report["initDurationMs"] > 300 > first.report["durationMs"]
        assert "initDurationMs" not in second.report


def test_whoever_asks_for_an_environment_does_not_wait_for_a_slow_one(tmp_path: Path) -> None:
    """It is leased while it initialises: only what others can wait for is waited for."""
    go = tmp_path / "go"
    slow = (
        "import os, time\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        "def handler(e, c): return e"
    )
    with specialised(tmp_path, {"main.py": slow}) as agent:
        status = agent.request("GET", "/v1/status").json["environments"][0]
        assert (status["state"], status["initialised"]) == ("starting", False)
        go.touch()
        assert agent.request("GET", "/v1/settled").status == 200
        status = agent.request("GET", "/v1/status").json["environments"][0]
        assert (status["state"], status["initialised"]) == ("idle", True)
        assert agent.invoke(1).json == 1


def test_large_events_and_answers(agent: Agent) -> None:
    """Six megabytes either way, in chunks or not; more is refused."""
    event = "x" * 6_291_400
    assert agent.invoke(event).json["event"] == event
    assert agent.invoke(body=b'"' + b"x" * 6_291_555 + b'"').status == 413
    assert agent.invoke("after").json["event"] == "after"


def test_stale_leases_are_refused(agent: Agent) -> None:
    """The agent is the judge: it remembers the highest epoch of each environment."""
    agent.lease = "gateway-2/5"  # the module's other tests hold the newer lease from here on
    assert agent.invoke(1, lease="gateway-2/5").status == 200
    stale = agent.invoke(2, lease="gateway-1/4")
    assert (stale.status, stale.json["code"], stale.json["retryable"]) == (409, "StaleLease", True)
    assert agent.invoke(3, lease="no epoch").json["code"] == "StaleLease"
    status = agent.request("GET", "/v1/status").json
    assert status["environments"][0] == {
        "id": agent.environment,
        "state": "idle",
        "initialised": True,
        "epoch": 5,
        "holder": "gateway-2",
    }


def test_a_fence_ends_every_older_lease(tmp_path: Path) -> None:
    """Who takes a pod over is sure that nobody goes on with it; what is granted then is newer."""
    with specialised(tmp_path, {"main.py": "def handler(e, c): return e"}) as agent:
        assert agent.invoke(1, lease="silent/4").status == 200
        (before,) = agent.request("GET", "/v1/status").json["environments"]
        fenced = agent.request("POST", "/v1/fence", b'{"epoch": 7}')
        assert (fenced.status, fenced.json["environments"]) == (200, [before | {"epoch": 7}])
        assert agent.invoke(2, lease="silent/4").json["code"] == "StaleLease"
        older = agent.request("POST", "/v1/fence", b'{"epoch": 1}')
        assert older.json["environments"][0]["epoch"] == 7, "it never falls"
        assert agent.invoke(3, lease="next/8").status == 200


def test_refusals_that_start_nothing(agent: Agent) -> None:
    """Each has its code, and says that the caller may go elsewhere."""
    past = {"Pilotlight-Deadline-Ms": str(int(time.time() * 1000) - 1)}
    future = {"Pilotlight-Deadline-Ms": str(int(time.time() * 1000) + 60_000)}
    assert agent.invoke(environment="unknown").json["code"] == "UnknownEnvironment"
    assert agent.invoke(headers=past).json["code"] == "DeadlinePassed"
    assert agent.invoke(headers=future).status == 200
    malformed = agent.invoke(headers={"Pilotlight-Deadline-Ms": "soon"})
    assert (malformed.status, malformed.json["code"]) == (400, "InvalidRequest")


def test_a_deadline_that_passes_during_the_initialisation(tmp_path: Path) -> None:
    """Nothing has started then, and the environment is there for the next caller."""
    code = "import time; time.sleep(0.5)\ndef handler(e, c): return e"
    with specialised(tmp_path, {"main.py": code}) as agent:
        soon = {"Pilotlight-Deadline-Ms": str(int(time.time() * 1000) + 200)}
        reply = agent.invoke(1, headers=soon, request_id="late")
        assert (reply.status, reply.json["code"]) == (409, "DeadlinePassed")
        assert agent.invoke(2).json == 2
        assert not any("late" in event.get("line", "") for event in agent.journal.events)


def test_headers_that_are_no_text_are_refused(agent: Agent) -> None:
    """With an answer, and the connection lives on."""
    head = (
        b"POST /v1/invoke HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n"
        b"Pilotlight-Environment: \xff\r\n\r\n"
    ) % TOKEN.encode()
    answer = raw(agent, head + b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 200") == 1


NESTED = base64.b64encode(b"[" * 2_000 + b"]" * 2_000).decode()


@pytest.mark.parametrize("context", ["no base64!", base64.b64encode(b"no json").decode(), NESTED])
def test_broken_client_contexts_are_refused(agent: Agent, context: str) -> None:
    """Before the function sees anything."""
    reply = agent.invoke(headers={"Pilotlight-Client-Context": context})
    assert (reply.status, reply.json["code"]) == (400, "InvalidRequest")


def test_one_invocation_at_a_time(agent: Agent) -> None:
    """A second one is refused while the first runs, which a lost caller does not end."""
    request_id = "caller-gone"
    body = b'"wait"'
    head = (
        f"POST /v1/invoke HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Pilotlight-Environment: {agent.environment}\r\nPilotlight-Lease: {agent.lease}\r\n"
        f"Pilotlight-Request-Id: {request_id}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", agent.port)) as caller:
        caller.sendall(head.encode() + body)
        agent.journal.wait(lambda e: e.get("line", "").startswith(f"START RequestId: {request_id}"))
        assert agent.invoke({}).json["code"] == "EnvironmentBusy"
        # Who runs goes on under the lease that there is.
        fenced = agent.request("POST", "/v1/fence", b'{"epoch": 1000}')
        assert (fenced.status, fenced.json["code"]) == (409, "EnvironmentBusy")
    (agent.folder / "gate").touch()
    assert "REPORT" in agent.journal.lines(request_id)[-1]
    assert agent.invoke("next").json["event"] == "next"


def test_more_environments_of_the_revision(tmp_path: Path) -> None:
    """They run side by side and have temporary folders of their own, none inside another's."""
    code = "import os, tempfile\ndef handler(e, c): return [os.getpid(), tempfile.gettempdir()]"
    with specialised(tmp_path, {"main.py": code}) as agent:
        reply = agent.request("POST", "/v1/environments", b'{"count": 2}')
        started = [each["id"] for each in reply.json["environments"]]
        assert len(started) == 2
        told = [agent.invoke(environment=each).json for each in (agent.environment, *started)]
        assert len({pid for pid, _ in told}) == 3
        own = [str(agent.temporary / each) for each in (agent.environment, *started)]
        assert [folder for _, folder in told] == own
        for body in (b"", b"[]", b'{"count": 0}', b'{"count": 1000}', b'{"count": "1"}'):
            assert agent.request("POST", "/v1/environments", body).status == 400


def test_a_generic_pod_has_nothing_to_invoke(generic: Agent) -> None:
    """It says so, and that it is generic."""
    assert generic.invoke({}).json["code"] == "NotSpecialised"
    for path, body in (("/v1/environments", b'{"count":1}'), ("/v1/fence", b'{"epoch":1}')):
        assert generic.request("POST", path, body).json == {
            "code": "NotSpecialised",
            "message": "the pod has no revision",
            "retryable": True,
        }
    assert generic.request("GET", "/v1/status").json == {
        "state": "generic",
        "draining": False,
        "revision": "",
        "objectName": "",
        "environments": [],
    }


def test_a_pod_is_specialised_once(agent: Agent) -> None:
    """A second revision is refused whatever it is."""
    body = specification(agent.folder / "package.zip")
    reply = agent.request("POST", "/v1/specialise", json.dumps(body).encode())
    assert (reply.status, reply.json["code"]) == (409, "AlreadySpecialised")


BROKEN: dict[str, dict[str, Any]] = {
    "CodeMismatch": {"sha256": "0" * 64},
    "CodeUnavailable": {"url": "file:///nowhere/at/all.zip"},
}


@pytest.mark.parametrize(("code", "choices"), BROKEN.items())
def test_a_failed_specialise_burns_the_pod(
    generic: Agent, code: str, choices: dict[str, Any]
) -> None:
    """What came to a pod that was to be another revision is not known any more."""
    files = {"main.py": "def handler(e, c): pass"}
    reply = generic.specialise(files, **choices)
    assert (reply.status, reply.json["code"]) == (502 if "Un" in code else 422, code)
    assert generic.specialise(files).json["code"] == "AlreadySpecialised"
    assert generic.invoke({}).json["code"] == "NotSpecialised"


def test_a_pod_that_cannot_write_says_so(tmp_path: Path) -> None:
    """Whatever goes wrong is answered."""
    (tmp_path / "task").write_text("a file where the folder should be")
    with Agent(tmp_path) as agent:
        reply = agent.specialise({"main.py": ""})
        assert (reply.status, reply.json["code"]) == (500, "AgentFailed")
        assert agent.request("GET", "/live").status == 200


def test_a_hostile_archive_burns_the_pod(generic: Agent) -> None:
    """And leaves nothing of itself."""
    reply = generic.specialise({"../outside.py": "x = 1", "main.py": ""})
    assert (reply.status, reply.json["code"]) == (422, "InvalidArchive")
    assert "'../outside.py' leads upwards" in reply.json["message"]
    assert not (generic.folder / "outside.py").exists()
    assert not generic.task_root.exists()


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"revision": 1}'),
        json.dumps({"revision": "r", "function": {}, "code": {}}).encode(),
    ],
)
def test_a_body_that_names_no_revision_is_refused(generic: Agent, body: bytes) -> None:
    """Nothing has begun: the pod is still generic."""
    assert generic.request("POST", "/v1/specialise", body).json["code"] == "InvalidRequest"
    assert generic.specialise({"main.py": "def handler(e, c): return 1"}).status == 200


def test_code_comes_over_http_with_its_ticket(generic: Agent) -> None:
    """The ticket opens the door; a redirect is not followed with it."""
    package = pack({"main.py": "def handler(e, c): return 'by http'"})
    seen: list[str | None] = []

    class Artifacts(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is the base class's
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", str(len(package)))
            self.end_headers()
            self.wfile.write(package)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Artifacts) as server:
        Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/artifacts/x"
        reply = generic.specialise({}, url=url, sha256=hashlib.sha256(package).hexdigest())
        server.shutdown()
    assert reply.status == 200
    assert len(reply.json["environments"]) == 1
    assert reply.json["fetchMilliseconds"] > 0
    assert seen == ["Bearer ticket"]
    assert generic.invoke({}).json == "by http"


def test_events_are_streamed_and_replayed(agent: Agent) -> None:
    """A reader begins after what it has seen and goes on as things happen."""
    agent.invoke({}, request_id="before")
    agent.journal.lines("before")
    with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as client:
        request = f"GET /v1/events?after=0 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        client.sendall(request.encode() + b"\r\n")
        stream = client.makefile("rb")
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
        agent.invoke({}, request_id="after")
        events: list[str] = []
        while not (events and '"after"' in events[-1] and "REPORT" in events[-1]):
            line = stream.readline().decode()
            events += [line] if line.startswith("{") else []
    told = [json.loads(line) for line in events]
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert {event["requestId"] for event in told if "line" in event} >= {"before", "after"}
    assert {event["type"] for event in told} >= {"state", "platform"}
