"""The Extensions API to the letter, with the test itself as the extension."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent import Agent, Reply, specialised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOOTSTRAP = '#!/bin/sh\necho "api=$AWS_LAMBDA_RUNTIME_API"\nexec sleep 1000\n'
EXTENSION = "/2020-01-01/extension"
RUNTIME = "/2018-06-01/runtime"
NOBODY = "11111111-0000-4000-8000-000000000000"


class Sandbox:
    """What a program beside the runtime can ask."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        line = agent.journal.wait(lambda event: event.get("line", "").startswith("api="))["line"]
        self._address = line.removeprefix("api=")

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Make one call on a connection of its own."""
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            content = body if isinstance(body, str) else json.dumps(body)
            connection.request(method, path, content, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def register(self, name: str, events: Any = ("INVOKE",), **headers: str) -> Reply:
        """Register an extension."""
        named = {f"Lambda-Extension-{key.replace('_', '-')}": headers[key] for key in headers}
        return self.call(
            "POST", f"{EXTENSION}/register", {"events": events},
            {"Lambda-Extension-Name": name} | named,
        )  # fmt: skip

    def next(self, identifier: str) -> Reply:
        """Wait for an event."""
        headers = {"Lambda-Extension-Identifier": identifier}
        return self.call("GET", f"{EXTENSION}/event/next", headers=headers)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose runtime has said nothing yet."""
    files = {"bootstrap": BOOTSTRAP}
    with specialised(tmp_path, files, runtime="provided.al2023", timeout=20) as agent:
        yield Sandbox(agent)


def refusal(reply: Reply) -> str:
    """Return the error type of a refusal."""
    assert (reply.status, set(reply.json)) == (403, {"errorMessage", "errorType"})
    return str(reply.json["errorType"])


def test_an_internal_extension(sandbox: Sandbox) -> None:
    """Registers before the runtime is ready, and is told of calls with everyone else."""
    made = sandbox.register("mine", Accept_Feature="accountId")
    assert made.json == {
        "functionName": "fn", "functionVersion": "$LATEST", "handler": "main.handler",
        "accountId": "123456789012",
    }  # fmt: skip
    identifier = made.headers["Lambda-Extension-Identifier"]
    assert refusal(sandbox.register("mine")) == "Extension.InvalidExtensionState"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(sandbox.next, identifier)
        call = pool.submit(sandbox.agent.invoke, {"a": 1}, request_id="r-1")
        event = sandbox.call("GET", f"{RUNTIME}/invocation/next")
        assert refusal(sandbox.register("late")) == "Extension.RegistrationClosed"
        told = waiting.result()
        assert (told.json["eventType"], told.json["requestId"]) == ("INVOKE", "r-1")
        assert "Lambda-Extension-Event-Identifier" in told.headers
        assert event.json == {"a": 1}
        sandbox.call("POST", f"{RUNTIME}/invocation/r-1/response", ["done"])
        assert call.result().json == ["done"]


@pytest.mark.parametrize(
    ("name", "events", "kind"),
    [
        ("", ["INVOKE"], "Extension.InvalidExtensionName"),
        ("mine", ["SHUTDOWN"], "Extension.InvalidEventType"),
        ("mine", ["invoke"], "Extension.InvalidEventType"),
        ("mine", 7, "InvalidRequestFormat"),
    ],
)
def test_who_may_not_register(sandbox: Sandbox, name: str, events: Any, kind: str) -> None:
    assert refusal(sandbox.register(name, events)) == kind
    for body in ("{", '{"events":' + "[" * 100_000):
        assert refusal(sandbox.call("POST", f"{EXTENSION}/register", body, {
            "Lambda-Extension-Name": "mine"
        })) == "InvalidRequestFormat"  # fmt: skip


def test_there_are_ten_at_most(sandbox: Sandbox) -> None:
    for number in range(10):
        assert sandbox.register(f"mine-{number}", []).status == 200
    assert refusal(sandbox.register("one-more", [])) == "Extension.TooManyExtensions"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "event/next"), ("POST", "init/error"), ("POST", "exit/error")],
)
def test_who_asks_is_identified(sandbox: Sandbox, method: str, path: str) -> None:
    target = f"{EXTENSION}/{path}"
    for given, kind in (
        ({}, "MissingExtensionIdentifier"),
        ({"Lambda-Extension-Identifier": "7"}, "InvalidExtensionIdentifier"),
        ({"Lambda-Extension-Identifier": NOBODY}, "UnknownExtensionIdentifier"),
    ):
        assert refusal(sandbox.call(method, target, headers=given)) == f"Extension.{kind}"
    if method == "POST":
        mine = sandbox.register("mine").headers["Lambda-Extension-Identifier"]
        nameless = sandbox.call(method, target, headers={"Lambda-Extension-Identifier": mine})
        assert refusal(nameless) == "Extension.MissingHeader"


@pytest.mark.parametrize(
    ("path", "api"), [("/2022-07-01/telemetry", "Telemetry"), ("/2020-08-15/logs", "Logs")]
)
def test_who_may_subscribe(sandbox: Sandbox, path: str, api: str) -> None:
    """One that is known and asks for what there is, until the runtime is ready."""
    wanted = {
        "types": ["platform"],
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:9"},
    }
    assert refusal(sandbox.call("PUT", path, wanted)) == "Extension.MissingExtensionIdentifier"
    made = sandbox.register("mine")
    mine = {"Lambda-Extension-Identifier": made.headers["Lambda-Extension-Identifier"]}
    reply = sandbox.call("PUT", path, wanted | {"types": ["all"]}, mine)
    assert (reply.status, reply.json["errorType"]) == (400, "ValidationError")
    assert sandbox.call("PUT", path, "[" * 100_000, mine).status == 400
    assert (reply := sandbox.call("PUT", path + "/", wanted, mine)).json == "OK"
    other = "/2020-08-15/logs" if api == "Telemetry" else "/2022-07-01/telemetry"
    assert "in use already" in sandbox.call("PUT", other, wanted, mine).json["errorMessage"]
    with ThreadPoolExecutor() as pool:
        pool.submit(sandbox.next, mine["Lambda-Extension-Identifier"])
        call = pool.submit(sandbox.agent.invoke, {}, request_id="r-1")
        sandbox.call("GET", f"{RUNTIME}/invocation/next")
        closed = sandbox.call("PUT", path, wanted, mine)
        sandbox.call("POST", f"{RUNTIME}/invocation/r-1/response", [])
        call.result()
    assert refusal(closed) == f"{api}.SubscriptionClosed"
