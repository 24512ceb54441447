"""The Runtime API for a runtime that polls in parallel, with the test itself as the runtime."""

from __future__ import annotations

import http.client
import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.runtimes.test_runtime_api import INVOCATION, NEXT, Runtime, refusal
from tests.support.agent import Reply, specialised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOOTSTRAP = """#!/bin/sh
echo "pid=$$"
echo "api=$AWS_LAMBDA_RUNTIME_API"
echo "most=$AWS_LAMBDA_MAX_CONCURRENCY"
exec sleep 1000
"""
SLOTS = 4


class Workers:
    """A runtime with several workers, and callers who have a slot each."""

    def __init__(self, runtime: Runtime, pool: ThreadPoolExecutor, slots: list[str]) -> None:
        self.runtime = runtime
        self.agent = runtime.agent
        self.pool = pool
        self.slots = slots

    def invoke(self, slot: int, **choices: Any) -> Future[Reply]:
        """Call by a slot."""
        named = {"request_id": f"request-{slot}", **choices}
        headers = {"Pilotlight-Log-Tail": "1", **named.pop("headers", {})}
        return self.pool.submit(
            self.agent.invoke, slot, environment=self.slots[slot], headers=headers, **named
        )

    def take(self) -> Reply:
        """Poll as one worker."""
        return self.runtime.next()

    def take_all(self, *slots: int) -> list[Future[Reply]]:
        """Have each of these slots' calls taken."""
        calls = [self.invoke(slot) for slot in slots]
        for _ in slots:
            self.take()
        return calls

    def pid(self, number: int = 1) -> int:
        """Return the process id of the runtime that was started as the n-th."""
        lines = self.agent.journal.events
        self.agent.journal.wait(
            lambda _: sum(e.get("line", "").startswith("pid=") for e in lines) >= number
        )
        found = [e["line"] for e in lines if e.get("line", "").startswith("pid=")]
        return int(found[number - 1].removeprefix("pid="))


@contextmanager
def running(folder: Path, timeout: int = 20, **choices: Any) -> Iterator[Workers]:
    """Run an environment with slots for several calls."""
    files = {"bootstrap": BOOTSTRAP}
    named: dict[str, Any] = {
        "runtime": "provided.al2023",
        "calls_per_environment": SLOTS,
        "environments": SLOTS,
    }
    with (
        ThreadPoolExecutor() as pool,
        specialised(folder, files, timeout=timeout, **named, **choices) as agent,
    ):
        states = agent.request("GET", "/v1/status").json["environments"]
        yield Workers(Runtime(agent, pool), pool, [one["id"] for one in states])


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with running(tmp_path) as workers:
        yield workers


def test_answers_find_their_calls(workers: Workers) -> None:
    """Whatever the order; each log tail has what names its request, and nothing of others."""
    calls = [workers.invoke(slot) for slot in range(SLOTS)]
    taken = [workers.take().headers for _ in calls]
    ids = [headers["Lambda-Runtime-Aws-Request-Id"] for headers in taken]
    assert sorted(ids) == [f"request-{slot}" for slot in range(SLOTS)]
    assert len({headers["Lambda-Runtime-Invocation-Id"] for headers in taken}) == SLOTS
    for request_id in reversed(ids):
        body = f'"{request_id}"'.encode()
        assert workers.runtime.respond(request_id, body).status == 202
    for slot, call in enumerate(calls):
        reply = call.result()
        assert (reply.json, reply.failed) == (f"request-{slot}", False)
        assert reply.headers["Pilotlight-Environment-State"] == "idle"
        first, *_, last = reply.tail.splitlines()
        assert first == f"START RequestId: request-{slot} Version: $LATEST"
        assert last.startswith(f"REPORT RequestId: request-{slot}\t")
    journal = workers.agent.journal
    assert journal.wait(lambda e: e.get("line", "").startswith("most="))["line"] == f"most={SLOTS}"


def test_what_answers_nothing_is_refused(workers: Workers) -> None:
    """Another attempt's, an unknown one's, one that is not taken yet, and a second answer."""
    runtime = workers.runtime
    call = workers.invoke(0)
    headers = workers.take().headers
    attempt = {"Lambda_Runtime_Invocation_Id": "another"}
    assert refusal(runtime.respond("request-0", **attempt)) == (400, "InvalidRequestID")
    assert refusal(runtime.respond("request-7")) == (400, "InvalidRequestID")
    waiting = workers.invoke(1)
    assert refusal(runtime.respond("request-1")) == (400, "InvalidRequestID")
    attempt = {"Lambda_Runtime_Invocation_Id": headers["Lambda-Runtime-Invocation-Id"]}
    mode = {"Lambda_Runtime_Function_Response_Mode": "odd"}
    wrong = refusal(runtime.respond("request-0", **attempt, **mode))
    assert wrong == (400, "InvalidFunctionResponseMode")
    assert runtime.respond("request-0", **attempt).status == 202
    assert refusal(runtime.respond("request-0", **attempt)) == (400, "InvalidRequestID")
    assert call.result().json == "ok"
    workers.take()
    path = f"{INVOCATION}/request-1/error"
    document = b'{"errorType": "Odd", "errorMessage": "no"}'
    assert runtime.call("POST", path, document).status == 202
    assert (waiting.result().failed, waiting.result().json["errorType"]) == (True, "Odd")


def test_a_response_that_breaks_off_ends_its_call_alone(workers: Workers) -> None:
    first, second = workers.take_all(0, 1)
    connection = http.client.HTTPConnection(workers.runtime.address, timeout=10)
    connection.putrequest("POST", f"{INVOCATION}/request-0/response")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"half")
    connection.close()
    assert first.result().json["errorType"] == "Runtime.TruncatedResponse"
    workers.runtime.respond("request-1")
    assert second.result().json == "ok"


def test_a_timeout_ends_its_call_alone(tmp_path: Path) -> None:
    """The late answer is refused, and the process goes on: whoever runs beside does not notice."""
    with running(tmp_path, timeout=1) as workers:
        (late,) = workers.take_all(0)
        time.sleep(0.5)
        (call,) = workers.take_all(1)
        reply = late.result()
        assert reply.json["errorType"] == "Sandbox.Timedout"
        assert "request-0 Task timed out after 1.00 seconds" in reply.tail
        assert reply.report["status"] == "timeout"
        assert refusal(workers.runtime.respond("request-0")) == (410, "InvokeTimeout")
        assert refusal(workers.runtime.respond("request-0")) == (400, "InvalidRequestID")
        workers.runtime.respond("request-1")
        assert call.result().json == "ok"
        os.kill(workers.pid(), 0)


def test_a_call_waits_for_a_worker_and_has_all_its_time_then(tmp_path: Path) -> None:
    """A runtime may have one worker only; what waits for longer than it may has not begun."""
    with running(tmp_path, timeout=2) as workers:
        (first,) = workers.take_all(0)
        soon = str(int((time.time() + 0.5) * 1000))
        impatient = workers.invoke(1, headers={"Pilotlight-Deadline-Ms": soon})
        patient = workers.invoke(2)
        assert (impatient.result().status, impatient.result().json["code"]) == (
            409, "DeadlinePassed",
        )  # fmt: skip
        time.sleep(1)
        workers.runtime.respond("request-0")
        assert not first.result().failed
        headers = workers.take().headers
        assert headers["Lambda-Runtime-Aws-Request-Id"] == "request-2"
        assert int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time() > 1.5
        workers.runtime.respond("request-2")
        assert patient.result().report["durationMs"] < 1_000


def test_a_process_that_takes_nothing_any_more_is_replaced(tmp_path: Path) -> None:
    """All that runs in it is over: the call that waits is given to the next one."""
    with running(tmp_path, timeout=1) as workers:
        (late,) = workers.take_all(0)
        assert late.result().json["errorType"] == "Sandbox.Timedout"
        call = workers.invoke(1)
        workers.pid(2)
        runtime = Runtime(workers.agent, workers.pool)
        runtime.take(call)
        runtime.respond("request-1")
        assert call.result().json == "ok"


def test_the_end_of_the_process_ends_what_it_had_taken(workers: Workers) -> None:
    """And a call that waited runs in the next one."""
    calls = workers.take_all(0, 1)
    waiting = workers.invoke(2)
    os.kill(workers.pid(), signal.SIGKILL)
    for slot, call in enumerate(calls):
        reply = call.result()
        assert reply.json == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: request-{slot} Error: Runtime exited with error: "
            "signal: killed",
        }
        assert reply.headers["Pilotlight-Environment-State"] == "starting"
    workers.pid(2)
    workers.take()
    workers.runtime.respond("request-2")
    assert waiting.result().json == "ok"


def test_a_worker_that_has_gone_is_given_nothing(workers: Workers) -> None:
    """Its poll's connection is closed."""
    gone = http.client.HTTPConnection(workers.runtime.address, timeout=10)
    gone.request("GET", NEXT)
    workers.agent.journal.wait_for_state("idle", SLOTS)
    gone.close()
    (call,) = workers.take_all(0)
    workers.runtime.respond("request-0")
    assert call.result().json == "ok"


def test_two_attempts_of_a_request_do_not_meet(tmp_path: Path) -> None:
    """The second waits until the first, which is over, has come back or is ended."""
    with running(tmp_path, timeout=1) as workers:
        first, other = workers.take_all(0, 1)
        workers.runtime.respond("request-1")
        assert other.result().json == "ok"
        assert first.result().json["errorType"] == "Sandbox.Timedout"
        again = workers.invoke(1, request_id="request-0")
        assert refusal(workers.runtime.respond("request-0")) == (410, "InvokeTimeout")
        headers = workers.take().headers
        assert headers["Lambda-Runtime-Aws-Request-Id"] == "request-0"
        workers.runtime.respond("request-0")
        assert again.result().json == "ok"


def test_an_initialisation_that_fails_fails_all_that_wait(workers: Workers) -> None:
    """After one more try, which the calls wait for."""
    calls = [workers.invoke(slot) for slot in range(2)]
    for number in (1, 2):
        workers.pid(number)
        reply = workers.runtime.call(
            "POST", "/2018-06-01/runtime/init/error", b'{"errorType": "Odd"}'
        )
        assert reply.status == 202
    assert [call.result().json for call in calls] == [{"errorType": "Odd"}] * 2
    assert calls[0].result().headers["Pilotlight-Environment-State"] == "idle"


def test_extensions_hear_of_no_calls(workers: Workers) -> None:
    """As in Lambda's managed instances: they may ask for the end alone, and internal ones not."""
    reply = workers.runtime.call(
        "POST", "/2020-01-01/extension/register", b'{"events": ["INVOKE"]}',
        {"Lambda-Extension-Name": "one"},
    )  # fmt: skip
    assert refusal(reply) == (403, "Extension.InvalidEventType")
