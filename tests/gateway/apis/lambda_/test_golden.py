"""Whole answers, header and body, of the common operations and errors.

`golden.json` beside this file has them as Lambda gives them: AWS's API reference, and what public
issues and recordings quote of its answers. What differs each time stands there in angle brackets.
`python -m tests.gateway.apis.lambda_.test_golden` writes what comes now, for a reader to judge.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.gateway import ACCOUNT, GatewayHarness, package, wait_for

FILE = Path(__file__).with_name("golden.json")
SOURCE = """
def handler(event, context):
    if event == "fail":
        raise ValueError("failed")
    return event
"""
FUNCTIONS = "/2015-03-31/functions"
NAME = "golden"
FUNCTION = f"{FUNCTIONS}/{NAME}"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{NAME}"
INVOKE = f"{FUNCTION}/invocations"


def zipped(source: str) -> str:
    """Return a package as requests have it."""
    return base64.b64encode(package({"index.py": source})).decode()


CREATE = {
    "FunctionName": NAME, "Role": f"arn:aws:iam::{ACCOUNT}:role/golden", "Runtime": "python3.13",
    "Handler": "index.handler", "Code": {"ZipFile": zipped(SOURCE)}, "Environment": {},
    "Tags": {"team": "a"},
}  # fmt: skip
PERMISSION = {
    "StatementId": "s",
    "Action": "lambda:InvokeFunction",
    "Principal": "events.amazonaws.com",
}


class Step(NamedTuple):
    """A request."""

    name: str
    method: str
    target: str
    body: object = None
    headers: dict[str, str] = {}  # noqa: RUF012  never written


STEPS = (
    Step("CreateFunction", "POST", FUNCTIONS, CREATE),
    Step("GetFunction", "GET", FUNCTION),
    Step("GetFunctionConfiguration of $LATEST", "GET",
         f"{FUNCTION}/configuration?Qualifier=$LATEST"),
    Step("CreateFunction, which is there", "POST", FUNCTIONS, CREATE),
    Step("UpdateFunctionConfiguration", "PUT", f"{FUNCTION}/configuration",
         {"LoggingConfig": {"LogFormat": "JSON"}, "Environment": {"Variables": {"AA": "b"}}}),
    Step("UpdateFunctionCode, stale", "PUT", f"{FUNCTION}/code",
         {"ZipFile": zipped(SOURCE + "#"), "RevisionId": "stale"}),
    Step("UpdateFunctionCode", "PUT", f"{FUNCTION}/code", {"ZipFile": zipped(SOURCE + "#")}),
    Step("PublishVersion", "POST", f"{FUNCTION}/versions", {"Description": "first"}),
    Step("ListVersionsByFunction", "GET", f"{FUNCTION}/versions"),
    Step("CreateAlias", "POST", f"{FUNCTION}/aliases", {"Name": "live", "FunctionVersion": "1"}),
    Step("CreateAlias, which is there", "POST", f"{FUNCTION}/aliases",
         {"Name": "live", "FunctionVersion": "1"}),
    Step("CreateAlias, two weights", "POST", f"{FUNCTION}/aliases",
         {"Name": "next", "FunctionVersion": "1",
          "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5, "2": 0.5}}}),
    Step("CreateAlias, $LATEST weighted", "POST", f"{FUNCTION}/aliases",
         {"Name": "next", "FunctionVersion": "$LATEST",
          "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}),
    Step("CreateAlias, a weight too high", "POST", f"{FUNCTION}/aliases",
         {"Name": "next", "FunctionVersion": "1",
          "RoutingConfig": {"AdditionalVersionWeights": {"2": 2}}}),
    Step("CreateAlias, no function", "POST", f"{FUNCTIONS}/none/aliases",
         {"Name": "live", "FunctionVersion": "1"}),
    Step("UpdateAlias", "PUT", f"{FUNCTION}/aliases/live", {"Description": "words"}),
    Step("GetAlias, not there", "GET", f"{FUNCTION}/aliases/none"),
    Step("DeleteFunction of $LATEST", "DELETE", f"{FUNCTION}?Qualifier=$LATEST"),
    Step("DeleteFunction of a version in use", "DELETE", f"{FUNCTION}?Qualifier=1"),
    Step("DeleteFunction of no version", "DELETE", f"{FUNCTION}?Qualifier=9"),
    Step("DeleteFunction of an alias", "DELETE", f"{FUNCTION}?Qualifier=live"),
    Step("Invoke", "POST", INVOKE, b'{"a": 1}'),
    Step("Invoke, function error", "POST", f"{INVOKE}?Qualifier=live", b'"fail"'),
    Step("Invoke, dry run", "POST", INVOKE, b"{}", {"X-Amz-Invocation-Type": "DryRun"}),
    Step("Invoke, event", "POST", INVOKE, b"{}", {"X-Amz-Invocation-Type": "Event"}),
    Step("Invoke, too large", "POST", INVOKE, b'"' + b"x" * 6_291_456 + b'"'),
    Step("Invoke, event too large", "POST", INVOKE, b'"' + b"x" * 1_048_576 + b'"',
         {"X-Amz-Invocation-Type": "Event"}),
    Step("Invoke, no such encoding", "POST", INVOKE, b"{}", {"Content-Encoding": "br"}),
    Step("Invoke, no such type", "POST", INVOKE, b"{}",
         {"X-Amz-Invocation-Type": "Later", "X-Amz-Log-Type": "Head"}),
    Step("PutFunctionConcurrency", "PUT", f"/2017-10-31/functions/{NAME}/concurrency",
         {"ReservedConcurrentExecutions": 0}),
    Step("Invoke, throttled", "POST", INVOKE, b"{}"),
    Step("AddPermission", "POST", f"{FUNCTION}/policy", PERMISSION),
    Step("GetPolicy", "GET", f"{FUNCTION}/policy"),
    Step("GetPolicy, none", "GET", f"{FUNCTION}/policy?Qualifier=live"),
    Step("TagResource", "POST", f"/2017-03-31/tags/{ARN}", {"Tags": {"team": "b"}}),
    Step("GetFunction, not there", "GET", f"{FUNCTIONS}/none?Qualifier=live"),
    Step("GetFunction, another region's", "GET",
         f"{FUNCTIONS}/{ARN.replace('us-east', 'eu-west')}"),
    Step("GetFunctionUrlConfig, not there", "GET", "/2021-10-31/functions/none/url"),
    Step("GetFunctionEventInvokeConfig, not there", "GET",
         "/2019-09-25/functions/none/event-invoke-config"),
    Step("GetFunctionCodeSigningConfig", "GET",
         f"/2020-06-30/functions/{NAME}/code-signing-config"),
    Step("Two broken constraints", "GET", f"{FUNCTIONS}/a%20b?Qualifier=%2A"),
    Step("A list's broken constraint", "PUT", f"{FUNCTION}/configuration", {"Layers": ["a", "b"]}),
    Step("A secret's broken constraint", "PUT", f"{FUNCTION}/configuration",
         {"Environment": {"Variables": {"_X": "secret"}}}),
    Step("A name of 65 letters", "POST", FUNCTIONS, CREATE | {"FunctionName": "a" * 65}),
    Step("No role", "POST", FUNCTIONS, {"FunctionName": "a", "Code": {}}),
    Step("CreateFunction with Publish", "POST", FUNCTIONS,
         CREATE | {"FunctionName": f"{NAME}-published", "Publish": True}),
    Step("UpdateFunctionCode with Publish", "PUT", f"{FUNCTION}-published/code",
         {"ZipFile": zipped(SOURCE + "#"), "Publish": True}),
    Step("DeleteFunction", "DELETE", FUNCTION),
)  # fmt: skip
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_VARYING = (
    (_UUID, "<uuid>"), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", "<time>"),
    (r"runtime:[0-9a-f]{64}", "runtime:<hash>"), (r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", "<trace>"),
    (r'"CodeSha256": "[^"]{44}"', '"CodeSha256": "<sha256>"'),
    (r'"ConfigSha256": "[^"]{44}"', '"ConfigSha256": "<sha256>"'),
    (r'"CodeSize": \d+', '"CodeSize": 0'),
    (r"http://[^\"]*ticket=[^\"]*", "<location>"), (r"File \\\"[^\"]*/", r'File \"<folder>/'),
)  # fmt: skip


def answers(harness: GatewayHarness) -> dict[str, Any]:
    """Send each request once all before it has come about; returns what came, by its name."""
    connection = http.client.HTTPConnection("127.0.0.1", harness.port, timeout=60)
    client, found = harness.client(), {}
    for step in STEPS:
        if step.name.startswith(("Update", "Publish", "Get")) and ", " not in step.name:
            wait_for(client, "function_updated_v2", FunctionName=NAME)
        body = step.body
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(step.method, step.target, sent, step.headers)
        found[step.name] = _said(connection.getresponse())
    connection.close()
    return found


def _said(answer: http.client.HTTPResponse) -> dict[str, Any]:
    text = answer.read().decode()
    headers = dict(answer.getheaders())
    assert headers.pop("Date").endswith(" GMT")
    assert headers.pop("Content-Length", str(len(text.encode()))) == str(len(text.encode()))
    said = json.dumps({"status": answer.status, "headers": headers, "body": _parsed(text)})
    for pattern, name in _VARYING:
        said = re.sub(pattern, name.replace("\\", r"\\"), said)
    document: dict[str, Any] = json.loads(said)
    return document


def _parsed(text: str) -> Any:
    return json.loads(text) if text else ""


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a gateway of its own answers."""
    harness = GatewayHarness(tmp_path_factory.mktemp("golden"))
    try:
        return answers(harness)
    finally:
        harness.close()


@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_the_answer_is_lambdas(answered: dict[str, Any], name: str) -> None:
    """Its status, each header and each member, and nothing more."""
    assert answered[name] == json.loads(FILE.read_text())[name]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        now = GatewayHarness(Path(folder))
        FILE.write_text(json.dumps(answers(now), indent=1, ensure_ascii=False) + "\n")
        now.close()
