"""Tracing that is Active: who decides whether a trace is recorded, and the spans that come of it.

Spans are read by a receiver of OTLP over HTTP on this machine, as any collector would.
"""

from __future__ import annotations

import http.server
import json
import queue
import re
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pilotlight.errors import UnavailableError
from pilotlight_gateway.gateway import _exporter
from pilotlight_gateway.identifiers import new_trace_id
from pilotlight_gateway.invocation.tracing import sampled
from pilotlight_gateway.settings import Settings
from tests.support.gateway import ACCOUNT, GatewayHarness, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
TRACE_ID = bytes.fromhex("5759e988bd862e3fe1be46a994272793")
PARENT = "53995c3f42cd8ad8"
TRACED = """
import os

def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    return os.environ.get("_X_AMZN_TRACE_ID")
"""


class Receiver:
    """What an OTLP collector takes: spans, each with its resource, in the order they came."""

    def __init__(self) -> None:
        self.spans: queue.Queue[Any] = queue.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                for found in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for span in found.scope_spans[0].spans:
                        receiver.spans.put((span, values(found.resource.attributes)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self) -> tuple[Any, dict[str, Any]]:
        """Return the next span and its resource."""
        found: tuple[Any, dict[str, Any]] = self.spans.get(timeout=20)
        return found


def values(attributes: Any) -> dict[str, Any]:
    """Return attributes as Python has them."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()


@pytest.fixture(scope="module")
def traced(
    receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayHarness]:
    """A platform that sends spans, with a function whose tracing is Active."""
    patch = pytest.MonkeyPatch()
    patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # the SDK's own variable, in milliseconds
    harness = GatewayHarness(tmp_path_factory.mktemp("pods"), otlp_endpoint=receiver.url)
    harness.create("traced", TRACED, Timeout=10, TracingConfig={"Mode": "Active"})
    yield harness
    harness.close()
    patch.undo()


def run(harness: GatewayHarness, name: str, event: object, trace: str = "") -> str:
    """Invoke a function as a caller does whose trace is that; gives what it saw of its own."""
    path = f"/2015-03-31/functions/{name}/invocations"
    headers = {"X-Amzn-Trace-Id": trace} if trace else {}
    status, _, body = harness.post(path, json.dumps(event).encode(), headers)
    assert status == 200
    return str(json.loads(body))


def test_a_trace_that_begins_here_is_sampled() -> None:
    """The header that a gateway makes says no, until a function asks for it."""
    assert ";Sampled=0" in (header := new_trace_id())
    assert sampled(header) == header.replace(";Sampled=0", ";Sampled=1")
    assert sampled(sampled(header)) == sampled(header)


@pytest.mark.parametrize("decision", ["Sampled=0", "Sampled=1"])
def test_a_callers_decision_is_kept(decision: str) -> None:
    header = f"{ROOT};Parent={PARENT};{decision};Lineage=deadbeef:1"
    assert sampled(header) == header


@pytest.mark.parametrize("undecided", ["", ";Sampled=?"])
def test_a_caller_that_did_not_decide_leaves_it_to_the_function(undecided: str) -> None:
    header = f"{ROOT};Parent={PARENT}{undecided};Lineage=deadbeef:1"
    assert sampled(header) == f"{ROOT};Parent={PARENT};Lineage=deadbeef:1;Sampled=1"


def test_a_function_that_passes_through_is_told_what_its_caller_said(
    platform: GatewayHarness,
) -> None:
    """The default; and without a receiver, an Active one decides and makes no span."""
    platform.create("tracing-passes", TRACED)
    assert ";Sampled=0" in run(platform, "tracing-passes", {})
    assert f"{ROOT};Parent={PARENT};Lineage" in run(
        platform, "tracing-passes", {}, f"{ROOT};Parent={PARENT}"
    )
    platform.create("tracing-active", TRACED, TracingConfig={"Mode": "Active"})
    assert ";Sampled=1" in run(platform, "tracing-active", {})
    seen = run(platform, "tracing-active", {}, f"{ROOT};Parent={PARENT};Sampled=1")
    assert seen.startswith(f"{ROOT};Parent={PARENT};Sampled=1;")


def test_a_request_of_a_url_leaves_the_decision_to_the_function(platform: GatewayHarness) -> None:
    """Its event names the trace, as AWS's front doors do, and neither parent nor decision."""
    code = TRACED.replace("return os", "return event['headers']['x-amzn-trace-id'], os")
    platform.create("tracing-url", code, TracingConfig={"Mode": "Active"})
    platform.open_url("tracing-url")
    deadline = time.monotonic() + 10
    while (answer := platform.get(f"/-/fn/{ACCOUNT}/tracing-url/"))[0] != 200:
        assert time.monotonic() < deadline, answer  # the gateway follows the store's watch
        time.sleep(0.01)
    named, seen = json.loads(answer[2])
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", named)
    assert re.fullmatch(named + ";Parent=[0-9a-f]{16};Sampled=1", seen)


def test_an_invocation_is_a_span(traced: GatewayHarness, receiver: Receiver) -> None:
    """Cold once; the trace id is X-Ray's in W3C's form, and no other span is its parent."""
    traced.create("cold", TRACED, Timeout=10, TracingConfig={"Mode": "Active"})
    seen = run(traced, "cold", {})
    span, resource = receiver.take()
    root = re.search(r"Root=1-(\w{8})-(\w{24})", seen)
    assert root is not None
    assert (span.trace_id.hex(), span.parent_span_id) == (root[1] + root[2], b"")
    assert f"Parent={span.span_id.hex()};Sampled=1" in seen
    assert (span.name, span.kind, span.status.code) == ("cold", 2, 0)
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 20e9
    found = values(span.attributes)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:cold"
    assert found.pop("faas.invocation_id")
    assert found == {
        "faas.name": "cold", "faas.version": "$LATEST", "faas.coldstart": True,
        "aws.lambda.invoked_arn": arn, "cloud.resource_id": arn, "cloud.account.id": ACCOUNT,
    }  # fmt: skip
    assert resource["service.name"] == "pilotlight"
    assert resource["cloud.region"] == "us-east-1"
    run(traced, "cold", {})
    assert values(receiver.take()[0].attributes)["faas.coldstart"] is False


def test_a_span_stands_between_caller_and_function(
    traced: GatewayHarness, receiver: Receiver
) -> None:
    seen = run(traced, "traced", {}, f"{ROOT};Parent={PARENT};Sampled=1")
    span, _ = receiver.take()
    assert (span.trace_id, span.parent_span_id) == (TRACE_ID, bytes.fromhex(PARENT))
    assert seen.startswith(f"{ROOT};Parent={span.span_id.hex()};Sampled=1")


def test_what_is_not_sampled_makes_no_span(traced: GatewayHarness, receiver: Receiver) -> None:
    """Neither a caller's no nor a function that passes through; a failure says what it was."""
    traced.create("passes", TRACED)
    run(traced, "passes", {}, f"{ROOT};Parent={PARENT};Sampled=1")
    seen = run(traced, "traced", {}, f"{ROOT};Parent={PARENT};Sampled=0")
    assert seen.startswith(f"{ROOT};Parent={PARENT};Sampled=0")
    run(traced, "traced", {"fail": True})
    span, _ = receiver.take()
    assert (span.status.code, span.status.message) == (2, "error")
    assert values(span.attributes)["error.type"] == "error"


def test_a_throttle_is_a_span_that_failed(traced: GatewayHarness, receiver: Receiver) -> None:
    traced.create("full", TRACED, TracingConfig={"Mode": "Active"})
    traced.client().put_function_concurrency(FunctionName="full", ReservedConcurrentExecutions=0)
    path = "/2015-03-31/functions/full/invocations"
    assert traced.post(path, b"{}")[0] == 429
    span, _ = receiver.take()
    assert (span.name, span.status.code) == ("full", 2)
    assert values(span.attributes)["error.type"] == "Throttled"


def test_an_event_is_a_span_of_its_own_trace(traced: GatewayHarness, receiver: Receiver) -> None:
    """Accepted with a trace, and run under it, sampled."""
    answer = traced.client().invoke(FunctionName="traced", InvocationType="Event")
    root = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"]
    span, _ = receiver.take()
    assert span.trace_id.hex() == root.removeprefix("Root=1-").replace("-", "")


def test_versions_keep_the_mode_that_they_were_published_with(platform: GatewayHarness) -> None:
    client = platform.client()
    platform.create("tracing-kept", TRACED, TracingConfig={"Mode": "Active"})
    assert client.publish_version(FunctionName="tracing-kept")["TracingConfig"] == {
        "Mode": "Active"
    }
    client.update_function_configuration(
        FunctionName="tracing-kept", TracingConfig={"Mode": "PassThrough"}
    )
    wait_for(client, "function_updated_v2", FunctionName="tracing-kept")
    newest = client.get_function_configuration(FunctionName="tracing-kept")
    first = client.get_function_configuration(FunctionName="tracing-kept", Qualifier="1")
    assert newest["TracingConfig"] == {"Mode": "PassThrough"}
    assert first["TracingConfig"] == {"Mode": "Active"}
    assert ";Sampled=1" in run(platform, "tracing-kept:1", {})
    assert ";Sampled=0" in run(platform, "tracing-kept", {})


def test_the_sdk_is_loaded_only_where_spans_go_somewhere() -> None:
    """A gateway without a receiver pays nothing, neither time nor memory."""
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys, pilotlight_gateway.gateway; print('opentelemetry' in sys.modules)"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "False\n"


def test_an_sdk_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pilotlight_gateway.invocation.otlp", raising=False)
    for name in [one for one in sys.modules if one.startswith("opentelemetry")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(UnavailableError, match=r"opentelemetry.* install pilotlight\[otel\]"):
        _exporter(Settings("us-east-1", b"k", otlp_endpoint="http://127.0.0.1:4318"))
