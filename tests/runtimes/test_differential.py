"""The managed Python runtime beside AWS's own runtime client, under the same agent.

AWS's client talks to the agent's Runtime API, ours has its own channel; a function must not see a
difference, and its caller neither. Ids, times, sizes and paths are made equal before comparing.
"""

import base64
import json
import re
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import FORKING, Agent, Reply, read_folder

CASES = Path(__file__).parent / "cases"
BOOTSTRAP = f"""#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13 PYTHONPATH=/var/runtime
exec {shlex.quote(sys.executable)} -m awslambdaric "$_HANDLER"
"""
SUBSTITUTIONS = (
    (r"[0-9a-f]{8}-[0-9a-f-]{27}", "REQUEST"),
    (r"[0-9a-f]{32}", "STREAM"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"(Duration|Used): [\d.]+", r"\1: N"),
    (r'("durationMs"|"billedDurationMs"|"maxMemoryUsedMB"|"initDurationMs"):[\d.]+', r"\1:N"),
)
# What the two may say differently: AWS's notice about its own runtime updates.
NOTICE = "LAMBDA_WARNING: Unhandled exception."


@dataclass(frozen=True)
class Outcome:
    """An invocation as caller and log show it."""

    status: int
    failed: bool
    content_type: str
    body: bytes
    report: str
    log: list[str]


@dataclass(frozen=True)
class Pair:
    """The same function under both runtimes."""

    ours: Agent
    theirs: Agent

    def compare(self, event: Any, **headers: str) -> Outcome:
        """Invoke both, expect the same, and give what it was."""
        ours, theirs = (observe(agent, event, headers) for agent in (self.ours, self.theirs))
        assert ours == theirs
        return ours


def observe(agent: Agent, event: Any, headers: dict[str, str]) -> Outcome:
    """Invoke, and make what differs by nature equal."""
    named = {f"Pilotlight-{name.replace('_', '-')}": value for name, value in headers.items()}
    request_id = f"{len(agent.journal.events):08x}-0000-4000-8000-000000000000"
    reply = agent.invoke(event, request_id=request_id, headers=named)
    lines = (normalise(line, agent) for line in agent.journal.lines(request_id))
    return Outcome(
        reply.status,
        reply.failed,
        reply.headers["Content-Type"],
        normalise(reply.body.decode("latin-1"), agent).encode("latin-1"),
        reply.report["status"],
        [line for line in lines if NOTICE not in line],
    )


def normalise(text: str, agent: Agent) -> str:
    """Replace ids, times, sizes and paths."""
    text = text.replace(str(agent.folder), "FOLDER").replace(agent.environment, "STREAM")
    for pattern, replacement in SUBSTITUTIONS:
        text = re.sub(pattern, replacement, text)
    return text


def start_pair(folder: Path, *, forked: bool, timeout: int = 10, **choices: Any) -> Pair:
    """Start both agents with all cases; `forked`: ours has a zygote."""
    files = {**read_folder(CASES), "bootstrap": BOOTSTRAP.encode()}

    def start(name: str, runtime: str) -> Agent:
        (folder / name).mkdir()
        forking = forked and name == "ours"
        agent = Agent(folder / name, *(FORKING if forking else ()))
        if forking:
            agent.wait_until_ready()
        reply = agent.specialise(files, runtime=runtime, timeout=timeout, **choices)
        assert reply.status == 200, reply.body
        agent.journal.wait_for_state("idle")  # so that what init logs is nobody's
        return agent

    with ThreadPoolExecutor() as pool:
        ours = pool.submit(start, "ours", "python3.13")
        theirs = pool.submit(start, "theirs", "provided.al2023")
        return Pair(ours.result(), theirs.result())


@pytest.fixture(scope="module", params=["exec", "fork"])
def start_of_ours(request: pytest.FixtureRequest) -> str:
    """How our runtime's processes are started; no function may see it."""
    return str(request.param)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, start_of_ours: str) -> Iterator[Pair]:
    """Both runtimes with every case behind one handler."""
    pair = start_pair(tmp_path_factory.mktemp("pair"), forked=start_of_ours == "fork")
    yield pair
    pair.ours.stop()
    pair.theirs.stop()


@pytest.fixture
def fresh(tmp_path: Path, start_of_ours: str) -> Iterator[Any]:
    """Start pairs of a test's own."""
    with ExitStack() as stack:

        def start(**choices: Any) -> Pair:
            pair = start_pair(tmp_path, forked=start_of_ours == "fork", **choices)
            stack.callback(pair.ours.stop)
            stack.callback(pair.theirs.stop)
            return pair

        yield start


ANSWERS = [
    *("decimal", "decimal_nan", "unicode", "nothing", "number", "big", "nan", "infinity"),
    *("tuple", "named", "bytes", "bytes_key", "ordered", "keys", "raw", "text", "date"),
    "bad_bytes",
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_have_the_same_bytes(pair: Pair, answer: str) -> None:
    """Whatever a handler gives back travels in the same form, or fails in the same words."""
    outcome = pair.compare({"case": "answers", "event": answer})
    assert outcome.failed == (answer in {"date", "bad_bytes"})


@pytest.mark.parametrize("answer", ["set", "circle", "key", "object"])
def test_answers_without_a_form_are_marshal_errors(pair: Pair, answer: str) -> None:
    """An answer that is no JSON is the function's error."""
    outcome = pair.compare({"case": "unserialisable", "event": answer})
    assert b"Runtime.MarshalError" in outcome.body


@pytest.mark.parametrize("case", ["exception", "empty_exception", "multiline_exception"])
def test_errors_have_the_same_document_and_log(pair: Pair, case: str) -> None:
    """Message, type, request id and stack are the same, in the answer and in the log."""
    outcome = pair.compare({"case": case, "event": "tea"})
    assert outcome.failed
    assert any(line.startswith("[ERROR]") for line in outcome.log)


def test_printing_and_logging(pair: Pair) -> None:
    """Every way to print gives the same lines in the same order."""
    outcome = pair.compare({"case": "printing"})
    assert outcome.log[1:3] == ["printed words 1", "to stderr"]
    assert outcome.log[-3] == "unfinished"


def test_context(pair: Pair) -> None:
    """The context says the same, with and without what callers may add."""
    keep = {"case": "context"}
    document = {
        "custom": {"a": "é"},
        "client": {"app_title": "t"},
        "w3c": {"traceparent": "00-1", "x": 1},
    }
    context = base64.b64encode(json.dumps(document).encode()).decode()
    identity = '{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}'
    trace = "Root=1-67891233-abcdef012345678912345678;Sampled=1"
    for headers in (
        {},
        {"Client_Context": context, "Cognito_Identity": identity, "Trace_Id": trace},
    ):
        ours, theirs = (
            told_context(agent.invoke(keep, headers=prefixed(headers)), agent)
            for agent in (pair.ours, pair.theirs)
        )
        assert ours == theirs
        assert ours["remaining"] is True
        assert ours["trace"] == headers.get("Trace_Id")


def test_a_context_is_made_of_the_variables_that_are_there(pair: Pair) -> None:
    """A function that has changed one sees that in its next call's."""
    before = json.loads(pair.compare({"case": "own_variables", "event": "7"}).body)
    after = json.loads(pair.compare({"case": "own_variables", "event": before}).body)
    assert before != after == "7"


def told_context(reply: Reply, agent: Agent) -> dict[str, Any]:
    """Return what the context case tells, without the exact deadline."""
    told: dict[str, Any] = reply.json
    told.pop("deadline")
    told["repr"] = normalise(told["repr"], agent)
    for name in ("aws_request_id", "log_stream_name"):
        told["fields"][name] = normalise(told["fields"][name], agent)
    return told


def prefixed(headers: dict[str, str]) -> dict[str, str]:
    """Return headers of the gateway protocol."""
    return {f"Pilotlight-{name.replace('_', '-')}": value for name, value in headers.items()}


def test_surroundings(pair: Pair) -> None:
    """Variables, search path, limits and descriptors are the same but for what must differ."""
    ours, theirs = (
        agent.invoke({"case": "surroundings"}).json for agent in (pair.ours, pair.theirs)
    )
    assert ours["path"][0] == ours["cwd"] == str(pair.ours.task_root)
    layers = f"{pair.ours.folder}/opt/python"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert ours["path"][1:3] == [f"{layers}/lib/{version}/site-packages", layers]
    assert ours["path"][3:] == theirs["path"][1:]
    assert ours["files"] == [1024, 1024]
    assert ours["stdin"] == ""
    assert ours["session"]
    assert not any("pilotlight" in value for value in ours["path"][3:] if "site" not in value)
    assert set(ours["main"]) <= set(theirs["main"])
    assert {name for name in ours["modules"] if "pilotlight" in name} <= {"pilotlight_python"}
    for name in ("logging", "encodings", "json", "files", "stdin", "session"):
        assert ours[name] == theirs[name], name
    assert "SECRET_OF_THE_AGENT" not in ours["environment"]
    own = {"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN"}
    changing = own | {"PWD", "OLDPWD", "SHLVL", "_"}
    assert told_variables(ours, pair.ours, changing) == told_variables(
        theirs, pair.theirs, changing
    )


def told_variables(told: dict[str, Any], agent: Agent, changing: set[str]) -> dict[str, str]:
    """Return the variables but those that a shell or the agent must set differently."""
    variables = told["environment"].items()
    return {k: normalise(v, agent) for k, v in variables if k not in changing}


@pytest.mark.parametrize("code", [0, 3, "words", None])
def test_orderly_exit(pair: Pair, code: Any) -> None:
    """sys.exit is a runtime that ended, not an answer."""
    outcome = pair.compare({"case": "sys_exit", "event": code})
    assert b"Runtime.ExitError" in outcome.body
    assert outcome.report == "crash"


@pytest.mark.parametrize("code", [0, 7])
def test_abrupt_exit(pair: Pair, code: int) -> None:
    """os._exit loses nothing that was printed before."""
    outcome = pair.compare({"case": "os_exit", "event": code})
    assert "last words" in outcome.log


@pytest.mark.parametrize(("number", "name"), [(9, b"killed"), (11, b"segmentation fault")])
def test_death_by_signal(pair: Pair, number: int, name: bytes) -> None:
    """A signal is named as Lambda names it."""
    outcome = pair.compare({"case": "signal_self", "event": number})
    assert b"Runtime exited with error: signal: " + name in outcome.body


@pytest.mark.parametrize(("size", "fails"), [(6_291_554, False), (6_291_555, True)])
def test_largest_answer(pair: Pair, size: int, fails: bool) -> None:  # noqa: FBT001 -- a table
    """The limit is exact to the byte: two quotes come on top of the text."""
    outcomes = [
        observe(agent, {"case": "size", "event": size}, {}) for agent in (pair.ours, pair.theirs)
    ]
    assert [outcome.failed for outcome in outcomes] == [fails, fails]
    assert outcomes[0].body == outcomes[1].body
    assert (b"Function.ResponseSizeTooLarge" in outcomes[0].body) == fails


def test_events_that_are_not_json(pair: Pair) -> None:
    """An event of another content type reaches neither handler as text."""
    replies = [
        agent.invoke(body=b"{broken", headers={"Content-Type": "application/json"})
        for agent in (pair.ours, pair.theirs)
    ]
    for reply in replies:
        assert reply.json["errorType"] == "Runtime.UnmarshalError"
        assert reply.json["errorMessage"].startswith("Unable to unmarshal input: Expecting")


INIT_FAILURES = {
    "import_error/main.handler": "Runtime.ImportModuleError",
    "syntax_error/main.handler": "Runtime.UserCodeSyntaxError",
    "fails_at_import/main.handler": "KeyError",
    "exits_at_import/main.handler": "Runtime.ExitError",
    "echo/main.missing": "Runtime.HandlerNotFound",
    "nodots": "Runtime.MalformedHandlerName",
    "sys.exit": "Runtime.BuiltInModuleConflict",
    "no.such.module.handler": "Runtime.ImportModuleError",
}


@pytest.mark.parametrize("handler", INIT_FAILURES)
def test_init_failures(fresh: Any, handler: str) -> None:
    """A function that cannot be loaded says why, to the caller and in the log."""
    pair = fresh(handler=handler)
    outcome = pair.compare({})
    assert outcome.failed
    assert f'"{INIT_FAILURES[handler]}"'.encode() in outcome.body
    assert any("INIT_REPORT" in line and "Phase: invoke" in line for line in outcome.log)


def test_json_logs(fresh: Any) -> None:
    """Records, errors and the platform's lines are JSON objects with the same fields."""
    pair = fresh(log_format="JSON", handler="json_logging/main.handler")
    assert len(pair.compare("work").log) >= 5
    pair.compare("fail")


def test_timeout(fresh: Any) -> None:
    """The same answer and the same lines, the function's own before the platform's."""
    pair = fresh(handler="sleeper/main.handler", timeout=1)
    outcome = pair.compare({})
    assert outcome.report == "timeout"
    assert outcome.log[1:3] == [
        "going to sleep",
        "TIME REQUEST Task timed out after 1.00 seconds",
    ]


def test_too_much_memory(fresh: Any) -> None:
    """The process is killed in Lambda's words."""
    pair = fresh(memory=128, handler="memory_hog/main.handler")
    outcome = pair.compare({})
    assert outcome.report == "memory"
    assert b"signal: killed" in outcome.body
    assert "Error Type: Runtime.OutOfMemory" in outcome.log[-1]
