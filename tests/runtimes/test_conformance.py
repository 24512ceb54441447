"""The same function in every managed language: what it promises is one contract.

runtime-images/CONTRACT.md says which of these holds what.
"""

from __future__ import annotations

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtimes.languages import LANGUAGES
from tests.support.agent import pack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtimes.languages import Language
    from tests.support.agent import Agent, Reply

WAITS = ("--wait", "dev.pilotlight.Waiting")
"""What stands in the command line of a process that waits."""
REQUEST = "11111111-0000-4000-8000-000000000000"


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def language(request: pytest.FixtureRequest) -> Language:
    """Each in its turn."""
    found: Language = request.param
    return found


def lines_of(agent: Agent, event: Any, **choices: Any) -> tuple[Reply, list[str]]:
    """Invoke; return the answer and what was logged."""
    reply = agent.invoke(event, request_id=REQUEST, **choices)
    return reply, agent.journal.lines(REQUEST)


def test_hello(language: Language, tmp_path: Path) -> None:
    with language.running(tmp_path, "hello") as agent:
        reply = agent.invoke({"name": "Ada"})
    assert (reply.status, reply.failed) == (200, False)
    assert reply.json == {"greeting": "Hello, Ada!"}
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.report["status"] == "success"


@pytest.mark.parametrize(
    "language", [one for one in LANGUAGES if one.waits], ids=lambda language: language.name
)
def test_what_waited_serves(language: Language, tmp_path: Path) -> None:
    """And none that took its place as it failed to become the function's: nothing else tells."""
    with language.running(tmp_path, "hello") as agent:
        assert agent.invoke({"name": "Ada"}).status == 200
        commands = agent.commands()
    assert any(mark in command for command in commands for mark in WAITS)


@pytest.mark.parametrize(
    "event",
    [
        [None, True, False, 0, -1, 1.5, 1e300, "", "é\n\u0000\U0001f600", [], {}],
        {"": {"nested": [[[{"deep": None}]]]}, "__proto__": 1, "constructor": "own"},
        None, 7, "text",
    ],
)  # fmt: skip
def test_every_shape_of_json_comes_back(language: Language, tmp_path: Path, event: Any) -> None:
    """What a handler gives back is what it was given."""
    with language.running(tmp_path, "echo") as agent:
        assert agent.invoke(event).json == event


def test_the_context_says_who_calls_what(language: Language, tmp_path: Path) -> None:
    """With what a caller adds, and without."""
    client = base64.b64encode(b'{"custom": {"a": "\xc3\xa9"}}').decode()
    added = {
        "Pilotlight-Client-Context": client,
        "Pilotlight-Cognito-Identity": '{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}',
        "Pilotlight-Trace-Id": "Root=1-67891233-abcdef012345678912345678;Sampled=1",
    }
    with language.running(tmp_path, "context") as agent:
        full = agent.invoke({}, request_id=REQUEST, headers=added).json
        bare = agent.invoke({}, request_id=REQUEST).json
    assert 0 < full.pop("remaining") <= 10_000
    assert full.pop("logStream").endswith(agent.environment)
    assert full == {
        "requestId": REQUEST, "name": "fn", "version": "$LATEST", "memory": "256",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:fn",
        "logGroup": "/aws/lambda/fn", "custom": {"a": "é"}, "identity": "id",
        "trace": added["Pilotlight-Trace-Id"],
    }  # fmt: skip
    assert [bare.get(name) for name in ("custom", "identity", "trace")] == [None] * 3


DOCUMENTED = {
    "_HANDLER": "", "AWS_DEFAULT_REGION": "", "AWS_REGION": "", "AWS_EXECUTION_ENV": "managed",
    "AWS_LAMBDA_FUNCTION_NAME": "", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "",
    "AWS_LAMBDA_FUNCTION_VERSION": "", "AWS_LAMBDA_INITIALIZATION_TYPE": "",
    "AWS_LAMBDA_LOG_GROUP_NAME": "", "AWS_LAMBDA_LOG_STREAM_NAME": "",
    "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
    "AWS_LAMBDA_RUNTIME_API": "", "AWS_LAMBDA_METADATA_API": "", "AWS_LAMBDA_METADATA_TOKEN": "",
    "LAMBDA_TASK_ROOT": "", "LAMBDA_RUNTIME_DIR": "", "LANG": "", "PATH": "",
    "LD_LIBRARY_PATH": "", "NODE_PATH": "nodejs", "PYTHONPATH": "python", "GEM_PATH": "ruby",
    "AWS_XRAY_CONTEXT_MISSING": "", "AWS_XRAY_DAEMON_ADDRESS": "", "TZ": "",
}  # fmt: skip
"""Variables of AWS Lambda Developer Guide, "Defined runtime environment variables", and for whom.

Three of that page are not there. `_X_AMZN_TRACE_ID` is there while a call has one (see the context
above). `AWS_ACCESS_KEY` is reserved, and Lambda's own runtimes do not set it. `NODE_OPTIONS` is for
functions to set, as is `AWS_LAMBDA_DOTNET_PREJIT`; `AWS_LAMBDA_MAX_CONCURRENCY` is there
where an environment takes several calls (see below).
"""


def documented_for(language: Language) -> list[str]:
    """Return the variables that functions of a language must find."""
    kinds = {"", "managed"} if language.managed else {""}
    return [
        name
        for name, kind in DOCUMENTED.items()
        if kind in kinds or (language.managed and kind and language.runtime.startswith(kind))
    ]


def test_the_environment_is_lambdas(language: Language, tmp_path: Path) -> None:
    """The function's own variables, Lambda's, none of the agent's, and no descriptor of ours."""
    own = {"KEY": "value é", "AWS_LAMBDA_FUNCTION_NAME": "another"}
    with language.running(tmp_path, "environment", environment=own) as agent:
        told = agent.invoke({}).json
    found = told["variables"]
    assert told["folder"] == found["LAMBDA_TASK_ROOT"] == str(agent.task_root)
    assert (found["KEY"], found["AWS_LAMBDA_FUNCTION_NAME"]) == ("value é", "fn")
    named = f"AWS_Lambda_{language.runtime}" if language.managed else None
    assert found.get("AWS_EXECUTION_ENV") == named
    assert not language.layers or language.layers in found
    assert [name for name in documented_for(language) if name not in found] == []
    assert not [name for name in found if "PILOTLIGHT" in name or "AGENT" in name]
    assert told["inherited"] == ["0", "1", "2", "3"]  # 3 is the listing's own


def test_an_error_has_type_message_and_trace(language: Language, tmp_path: Path) -> None:
    """For the caller and in the log; the next call is served by the same process."""
    with language.running(tmp_path, "error") as agent:
        reply, lines = lines_of(agent, "sold out")
        assert agent.invoke(None).json == "fine"
    assert reply.failed
    assert reply.json["errorMessage"] == "sold out"
    assert re.fullmatch(r"(error\.Main\$)?ShopError|Function<ShopError>", reply.json["errorType"])
    trace = str(reply.json.get("trace") or reply.json.get("stackTrace")).lower()
    assert ("main." in trace) == language.traces
    assert any("called with sold out" in line for line in lines)
    assert any(language.error_entry in line and "ShopError" in line for line in lines)
    assert reply.report["status"] == "error"


def test_an_answer_that_is_no_json_is_an_error(language: Language, tmp_path: Path) -> None:
    with language.running(tmp_path, "no_json") as agent:
        reply = agent.invoke({})
    assert (reply.failed, reply.json["errorType"]) == (True, language.no_json)


@pytest.mark.parametrize(
    ("language", "case", "handler", "kind"),
    [
        pytest.param(language, *which, kind, id=f"{language.name}-{'-'.join(filter(None, which))}")
        for language in LANGUAGES
        for which, kind in language.unloadable.items()
    ],
)
def test_what_cannot_be_loaded_says_why(
    language: Language, tmp_path: Path, case: str, handler: str, kind: str | None
) -> None:
    """Once on nobody's clock, and again to the caller; Java says some of it to the caller alone."""
    with language.running(tmp_path, case, handler) as agent:
        reply, lines = lines_of(agent, {})
    assert (reply.failed, reply.json.get("errorType")) == (True, kind)
    if handler not in language.deferred:
        assert sum("INIT_REPORT" in line for line in lines) >= 1
        assert any("Phase: invoke" in line for line in lines)


def test_a_failed_init_is_tried_again(language: Language, tmp_path: Path) -> None:
    with language.running(tmp_path, "recovers") as agent:
        assert agent.invoke({}).json == "recovered"


def test_a_timeout_ends_the_call(language: Language, tmp_path: Path) -> None:
    """In Lambda's words, and what was logged is there; the next call has a new process."""
    with language.running(tmp_path, "sleep", timeout=language.seconds) as agent:
        reply, lines = lines_of(agent, 5)
        assert agent.invoke(0).json == "awake"
    assert reply.json["errorMessage"].endswith(
        f"Task timed out after {language.seconds}.00 seconds"
    )
    assert any("going to sleep" in line for line in lines)
    assert reply.report["status"] == "timeout"


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "Runtime exited without providing a reason"), (7, "exit status 7")],
)
def test_an_exit_is_a_crash(language: Language, tmp_path: Path, status: int, words: str) -> None:
    """Nothing that was printed is lost, and nothing of the process is left for the next call."""
    with language.running(tmp_path, "exit") as agent:
        assert agent.invoke(None).json == 1
        reply, lines = lines_of(agent, status)
        assert agent.invoke(None).json == 1
    assert (reply.json["errorType"], reply.report["status"]) == ("Runtime.ExitError", "crash")
    assert words in reply.json["errorMessage"]
    assert any("last words" in line for line in lines)


def test_too_much_memory_is_a_crash(language: Language, tmp_path: Path) -> None:
    with language.running(tmp_path, "memory", memory=128) as agent:
        reply = agent.invoke({})
    assert reply.report["status"] == "memory"
    assert reply.json["errorMessage"].endswith("signal: killed")


@pytest.mark.parametrize(("size", "fails"), [(6_291_554, False), (6_291_555, True)])
def test_the_largest_answer(language: Language, tmp_path: Path, size: int, fails: bool) -> None:  # noqa: FBT001  a table
    """The limit is exact to the byte, quotes included; the process lives on."""
    with language.running(tmp_path, "size") as agent:
        reply = agent.invoke(size)
        assert agent.invoke(1).json == "x"
    assert reply.failed == fails
    assert len(reply.body) == size + 2 or b"Function.ResponseSizeTooLarge" in reply.body


def test_the_largest_event(language: Language, tmp_path: Path) -> None:
    """It arrives whole, in whatever pieces."""
    with language.running(tmp_path, "length") as agent:
        event = json.dumps("é" * 3_145_000, ensure_ascii=False).encode()
        assert agent.invoke(body=event).json == 3_145_000


def test_logs_in_text(language: Language, tmp_path: Path) -> None:
    """An entry is a line, with level and, but for Java's, request id; what is printed stays."""
    with language.running(tmp_path, "logs") as agent:
        _, lines = lines_of(agent, {})
    own = [line for line in lines if "printed" in line or "WARN" in line or "broken" in line]
    assert own[0] == "printed"
    assert ["two" in own[1], "broken: cup" in own[2]] == [True, True]
    assert all(REQUEST in line for line in own[1:]) == language.names_request
    assert lines[-1].startswith("REPORT ")


def test_logs_in_json(language: Language, tmp_path: Path) -> None:
    """Entries are objects with Lambda's fields, and none is below the level asked for."""
    with language.running(tmp_path, "logs", log_format="JSON") as agent:
        _, lines = lines_of(agent, {})
    entries = [json.loads(line) for line in lines if '"message"' in line]
    assert [(entry["level"][:4], entry["message"]) for entry in entries] == [
        ("WARN", "two\nlines"),
        ("ERRO", "broken: cup"),
    ]
    assert {entry[language.request_id] for entry in entries} == {REQUEST}
    assert all(entry["timestamp"].startswith(time.strftime("20")) for entry in entries)


def test_the_tenant_is_said(language: Language, tmp_path: Path) -> None:
    """In the context and in JSON logs, of who isolates tenants; nothing of others."""
    tenant = {"Pilotlight-Tenant-Id": "red"}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    with language.running(tmp_path / "a", "tenant", log_format="JSON", tenant_id="red") as agent:
        reply = agent.invoke({}, request_id=REQUEST, headers=tenant)
        lines = agent.journal.lines(REQUEST)
    assert reply.json == "red"
    (entry,) = [json.loads(line) for line in lines if '"message"' in line]
    assert entry["tenantId"] == "red"
    with language.running(tmp_path / "b", "tenant", log_format="JSON") as agent:
        assert agent.invoke({}, request_id=REQUEST).json is None
        lines = agent.journal.lines(REQUEST)
    assert not [line for line in lines if "tenantId" in line]


def test_temporary_files_stay_between_calls(language: Language, tmp_path: Path) -> None:
    with language.running(tmp_path, "temporary") as agent:
        assert [agent.invoke({}).json for _ in range(3)] == [1, 2, 3]


def test_calls_meet_in_one_environment(language: Language, tmp_path: Path) -> None:
    """Where it takes several at once: each waits in its handler until all are there."""
    guests = 3
    many: dict[str, Any] = {"calls_per_environment": guests, "environments": guests}
    with (
        language.running(tmp_path, "meeting", **many) as agent,
        ThreadPoolExecutor(guests) as pool,
    ):
        places = agent.request("GET", "/v1/status").json["environments"]

        def invoke(number: int) -> Any:
            event = {"folder": str(agent.temporary), "name": str(number), "guests": guests}
            name = f"request-{number}"
            return agent.invoke(event, request_id=name, environment=places[number]["id"]).json

        met = list(pool.map(invoke, range(guests)))
    assert met == [[f"request-{number}", str(guests)] for number in range(guests)]


def test_a_layer_is_found(language: Language, tmp_path: Path) -> None:
    """Where the language looks for it."""
    layer = tmp_path / "layer.zip"
    layer.write_bytes(pack(language.layer()))
    with language.running(tmp_path, "layer", layers=[layer]) as agent:
        assert agent.invoke({}).json == "from a layer"
