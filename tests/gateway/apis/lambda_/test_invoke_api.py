"""`Invoke` end to end: boto3, the gateway, a real agent, a real function."""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import ACCOUNT, GatewayHarness, package, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ECHO = """
import json, os
print("loaded")

def handler(event, context):
    print("got", json.dumps(event, ensure_ascii=False))
    if isinstance(event, dict) and "fail" in event:
        raise ValueError(event["fail"])
    if isinstance(event, dict) and "die" in event:
        os._exit(3)
    if isinstance(event, dict) and "size" in event:
        return "x" * event["size"]
    return {
        "event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "custom": context.client_context and context.client_context.custom,
    }
"""
NESTED = base64.b64encode(b"[" * 2_600).decode()
"""JSON that nests too deeply to be read."""
PATH = "/2015-03-31/functions/{name}/invocations"


@pytest.fixture(scope="module")
def echo(platform: GatewayHarness) -> str:
    """A function that tells what it got."""
    platform.create("echo", ECHO, Timeout=10)
    return "echo"


def invoke(platform: GatewayHarness, name: str, event: object, **options: Any) -> Any:
    return platform.client().invoke(
        FunctionName=name, Payload=json.dumps(event).encode(), **options
    )


def raw(
    platform: GatewayHarness, name: str, body: bytes, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
    connection.request("POST", PATH.format(name=name), body, headers or {})
    answer = connection.getresponse()
    found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return found


def test_a_handler_without_a_dot_fails_when_it_is_called(platform: GatewayHarness) -> None:
    """Lambda creates it, whose pattern wants no dot, and its runtime says what is wrong."""
    platform.create("nodot", "def handler(event, context):\n    return 1\n", Handler="index")
    answer = platform.client().invoke(FunctionName="nodot")
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == "Runtime.MalformedHandlerName"


def test_an_answer_has_lambdas_headers(platform: GatewayHarness, echo: str) -> None:
    answer = invoke(platform, echo, {"a": "ü"}, LogType="Tail")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    document = json.load(answer["Payload"])
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert document["event"] == {"a": "ü"}
    assert document["id"] == headers["x-amzn-requestid"]
    assert headers["x-amzn-trace-id"] in document["trace"]
    tail = base64.b64decode(answer["LogResult"]).decode()
    request_id = re.escape(document["id"])
    assert re.search(f"START RequestId: {request_id} Version: \\$LATEST\n", tail)
    assert 'got {"a": "ü"}' in tail
    assert re.search(f"REPORT RequestId: {request_id}\tDuration: [0-9.]+ ms\tBilled", tail)


@pytest.mark.parametrize(
    "name",
    [
        "echo:$LATEST",
        f"{ACCOUNT}:function:echo",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo:$LATEST",
    ],
)
def test_every_form_of_a_name(platform: GatewayHarness, echo: str, name: str) -> None:
    assert echo in name
    document = json.load(invoke(platform, name, 1)["Payload"])
    qualifier = ":$LATEST" if name.endswith("$LATEST") else ""
    assert document["arn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo{qualifier}"


@pytest.mark.parametrize(
    ("name", "qualifier", "code", "text"),
    [
        ("nobody", None, "ResourceNotFoundException",
         f"Function not found: arn:aws:lambda:us-east-1:{ACCOUNT}:function:nobody"),
        ("echo", "7", "ResourceNotFoundException", "function:echo:7"),
        ("echo:prod", None, "ResourceNotFoundException", "function:echo:prod"),
        ("echo:prod", "test", "InvalidParameterValueException", "does not match"),
        (f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:echo", None, "ResourceNotFoundException",
         "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"),
        ("arn:aws:lambda:us-east-1:999999999999:function:echo", None, "AccessDeniedException",
         "is not authorized to perform: lambda:InvokeFunction"),
    ],
)  # fmt: skip
def test_names_that_lead_nowhere(
    platform: GatewayHarness, echo: str, name: str, qualifier: str | None, code: str, text: str
) -> None:
    options = {"Qualifier": qualifier} if qualifier else {}
    assert echo
    with pytest.raises(ClientError) as refused:
        invoke(platform, name, {}, **options)
    assert refused.value.response["Error"]["Code"] == code
    assert text in str(refused.value)


def test_dry_run_runs_nothing(platform: GatewayHarness, echo: str) -> None:
    assert invoke(platform, echo, {}, InvocationType="DryRun")["StatusCode"] == 204


def test_an_event_is_accepted(platform: GatewayHarness, echo: str) -> None:
    answer = invoke(platform, echo, {}, InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert "ExecutedVersion" not in answer


def test_a_function_error_is_200(platform: GatewayHarness, echo: str) -> None:
    answer = invoke(platform, echo, {"fail": "on purpose"})
    document = json.load(answer["Payload"])
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "on purpose")
    assert document["requestId"] == answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert "handler" in document["stackTrace"][0]


def test_a_crash_is_reported_and_the_next_call_works(platform: GatewayHarness, echo: str) -> None:
    answer = invoke(platform, echo, {"die": 1})
    assert answer["FunctionError"] == "Unhandled"
    document = json.load(answer["Payload"])
    assert document["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in document["errorMessage"]
    assert json.load(invoke(platform, echo, {"b": 2})["Payload"])["event"] == {"b": 2}


def test_a_timeout_is_reported_in_lambdas_words(platform: GatewayHarness) -> None:
    platform.create("slow", "import time\ndef handler(e, c):\n    time.sleep(30)\n", Timeout=1)
    document = json.load(invoke(platform, "slow", {})["Payload"])
    assert document["errorType"] == "Sandbox.Timedout"
    assert document["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


def test_client_context_reaches_the_function(platform: GatewayHarness, echo: str) -> None:
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    document = json.load(invoke(platform, echo, {}, ClientContext=context)["Payload"])
    assert document["custom"] == {"k": "v"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (b"{not json", {}, 400, "InvalidRequestContentException"),
        (b'{"a": NaN}', {}, 400, "InvalidRequestContentException"),
        (b'"\xff"', {}, 400, "InvalidRequestContentException"),
        (b"[" * 100_000, {}, 400, "InvalidRequestContentException"),
        (b'"' + b"x" * 6_291_456 + b'"', {}, 413, "RequestTooLargeException"),
        (b"{}", {"X-Amz-Invocation-Type": "Later"}, 400, "ValidationException"),
        (b"{}", {"X-Amz-Log-Type": "Head"}, 400, "ValidationException"),
        (b"{}", {"X-Amz-Client-Context": "%%"}, 400, "InvalidRequestContentException"),
        (b"{}", {"X-Amz-Client-Context": "x" * 3584}, 400, "InvalidRequestContentException"),
        (b"{}", {"X-Amz-Client-Context": NESTED}, 400, "InvalidRequestContentException"),
        (b"{}", {"X-Amz-Tenant-Id": "t"}, 400, "InvalidParameterValueException"),
    ],
)
def test_bad_requests(
    platform: GatewayHarness,
    echo: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    got, answered, content = raw(platform, echo, body, headers)
    assert (got, answered["x-amzn-errortype"]) == (status, kind), content
    assert answered["content-type"] == "application/json"
    assert json.loads(content).get("Type") == (None if kind == "ValidationException" else "User")
    assert answered["x-amzn-requestid"]


def test_the_largest_event_and_answer(platform: GatewayHarness, echo: str) -> None:
    largest = b'"' + b"x" * (6_291_456 - 2) + b'"'
    status, _, content = raw(platform, echo, largest)
    assert status == 200
    assert b"ResponseSizeTooLarge" in content  # the event comes back with more around it
    answer = json.load(invoke(platform, echo, {"size": 6_000_000})["Payload"])
    assert answer == "x" * 6_000_000


def test_an_empty_body_is_an_empty_event(platform: GatewayHarness, echo: str) -> None:
    assert json.loads(raw(platform, echo, b"")[2])["event"] == {}


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "UnknownOperationException"),
        ("PATCH", "/2015-03-31/functions/echo", 404, "UnknownOperationException"),
        ("GET", "/2025-11-30/capacity-providers", 501, "NotImplementedException"),
        ("GET", "/2015-03-31/functions/../functions/echo", 400, "ValidationException"),
        ("GET", "/2015-03-31/functions/%2e%2e/x", 400, "ValidationException"),
        ("GET", "/-/nothing", 404, "UnknownOperationException"),
        ("GET", "/-/artifacts/" + "0" * 64, 403, "AccessDeniedException"),
        ("PUT", "/-/artifacts/abc", 400, "InvalidParameterValueException"),
    ],
)
def test_what_is_not_there_answers_json(
    platform: GatewayHarness, method: str, path: str, status: int, kind: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    assert (answer.status, answer.getheader("x-amzn-ErrorType")) == (status, kind), content


def test_metrics_bill_and_logs(platform: GatewayHarness) -> None:
    platform.create("measured", "def handler(e, c):\n    print('a line')\n")
    for _ in range(3):
        invoke(platform, "measured", {})
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    connection.request("GET", "/-/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    labels = 'function="measured",namespace="default",version="$LATEST"'
    assert f"pilotlight_invocations_total{{{labels}}} 3.0" in text
    assert f"pilotlight_billed_milliseconds_total{{{labels}}}" in text
    assert f"pilotlight_init_duration_seconds_count{{{labels}}} 1.0" in text
    assert (
        'pilotlight_environments{function="measured",namespace="default",state="idle"} 1.0' in text
    )


MEETING = """
import os, time
def handler(event, context):
    open(os.path.join(event["folder"], context.aws_request_id), "w").close()
    while len(os.listdir(event["folder"])) < event["callers"]:
        time.sleep(0.01)
    return os.getpid()
"""
"""Ends once so many have begun."""


def test_concurrent_calls_get_an_environment_each(platform: GatewayHarness, tmp_path: Path) -> None:
    platform.create("parallel", MEETING, Timeout=20)
    meet = {"folder": str(tmp_path), "callers": 4}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke(platform, "parallel", meet), range(4)))
    assert len({answer["Payload"].read() for answer in answers}) == 4


@pytest.fixture
def limited(tmp_path: Any) -> Iterator[GatewayHarness]:
    """A platform whose accounts may have two environments."""
    harness = GatewayHarness(tmp_path, limit=2)
    yield harness
    harness.close()


def test_the_account_limit_throttles_with_its_reason(
    limited: GatewayHarness, tmp_path: Path
) -> None:
    (folder := tmp_path / "running").mkdir()
    limited.create("held", MEETING, Timeout=20)
    event = json.dumps({"folder": str(folder), "callers": 3}).encode()
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(raw, limited, "held", event) for _ in range(5)]
        refused = itertools.islice(concurrent.futures.as_completed(calls, timeout=15), 3)
        assert [call.result()[0] for call in refused] == [429] * 3
        (folder / "the test").touch()
        answers = [call.result() for call in calls]
    statuses = sorted(status for status, _, _ in answers)
    assert statuses == [200, 200, 429, 429, 429]
    _, headers, content = next(answer for answer in answers if answer[0] == 429)
    document = json.loads(content)
    assert document["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert (headers["x-amzn-errortype"], headers["retry-after"]) == (
        "TooManyRequestsException", "1",
    )  # fmt: skip


def test_an_update_under_load_loses_no_call(platform: GatewayHarness) -> None:
    source = "def handler(e, c):\n    return {n}\n"
    platform.create("rolling", source.format(n=0), Timeout=20)
    client = platform.client()
    answers: list[bytes] = []
    stop = False

    def load() -> None:
        while not stop:
            status, headers, content = raw(platform, "rolling", b"{}")
            assert (status, headers.get("x-amz-function-error")) == (200, None), content
            answers.append(content)

    def wait_for_more(count: int) -> None:
        wanted, deadline = len(answers) + count, time.monotonic() + 20
        while len(answers) < wanted and time.monotonic() < deadline:
            time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(load) for _ in range(2)]
        for number in (1, 2):
            wait_for_more(5)
            client.update_function_code(
                FunctionName="rolling", ZipFile=package({"index.py": source.format(n=number)})
            )
            wait_for(client, "function_updated_v2", FunctionName="rolling")
            # Once an update is Successful every gateway routes to it.
            assert invoke(platform, "rolling", {})["Payload"].read() == str(number).encode()
        wait_for_more(5)
        stop = True
        for call in calls:
            call.result()
    assert set(answers) == {b"0", b"1", b"2"}


def test_a_qualifier_is_bounded(platform: GatewayHarness) -> None:
    """Of any operation, also where its model knows none: numbers of any length are not read."""
    for path in ("/2015-03-31/functions/x/invocations", "/2015-03-31/functions/x/versions"):
        status, _, body = platform.post(f"{path}?Qualifier={'9' * 5000}", b"{}")
        assert status == 400
        assert b"at 'qualifier' failed to satisfy constraint" in body
