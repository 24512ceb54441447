"""Outcomes reach destinations: SQS, SNS, EventBridge and S3 (moto's server), functions, HTTP."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.errors import ConflictError
from pilotlight.resources import AsyncConfig, Function, Key
from pilotlight_gateway.event_queue.interface import FunctionKey
from tests.gateway.events.conftest import Events, until
from tests.support.gateway import ACCOUNT, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.moto import Moto

SOURCE = """
def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"got": event}
"""
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"


class Queue:
    """A queue at moto."""

    def __init__(self, moto: Moto, name: str) -> None:
        self._client = moto.client("sqs")
        self._url = self._client.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    def receive(self) -> dict[str, Any]:
        """Wait for a message and take it."""
        message: dict[str, Any] = until(self._take)
        return message

    def _take(self) -> dict[str, Any] | None:
        found = self._client.receive_message(
            QueueUrl=self._url, MessageAttributeNames=["All"], MaxNumberOfMessages=1
        ).get("Messages")
        if not found:
            return None
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=found[0]["ReceiptHandle"])
        return dict(found[0])


def configure(events: Events, function: str, **members: Any) -> None:
    """Make a function with these settings, by its resource: URLs cannot be put by the API."""
    events.harness.create(function, SOURCE)

    async def write() -> None:
        resources = events.harness.resources
        while True:
            found = await resources.get(Function, Key("default", function))
            config = AsyncConfig(maximum_retry_attempts=0, **members)
            found.spec = found.spec.model_copy(update={"async_": config})
            try:
                await resources.replace(found)
            except ConflictError:
                continue
            return

    events.harness.call(write())
    catalogue = events.harness.gateway.services.catalogue

    def known() -> bool:
        found = catalogue.get("default", function)
        return found is not None and found.spec.async_ is not None

    until(known)


def test_a_success_reaches_its_queue_as_lambdas_record(events: Events, moto: Moto) -> None:
    queue = Queue(moto, "successes")
    configure(events, "happy", on_success=queue.arn)
    request_id = events.send("happy", b'{"a": [1, "\xc3\xbc"]}')
    message = queue.receive()
    record = json.loads(message["Body"])
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{ARN}happy:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": [1, "ü"]},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"got": {"a": [1, "ü"]}},
    }
    assert "MessageAttributes" not in message
    events.wait("happy", done=1, dead=0)


def test_a_failure_reaches_its_destination_and_the_dead_letter_queue(
    events: Events, moto: Moto
) -> None:
    failures, dead = Queue(moto, "failures"), Queue(moto, "dead")
    configure(events, "sad", on_failure=failures.arn)
    client = events.harness.client()
    client.update_function_configuration(
        FunctionName="sad", DeadLetterConfig={"TargetArn": dead.arn}
    )
    wait_for(client, "function_updated_v2", FunctionName="sad")
    request_id = events.send("sad", b'{"fail": "on purpose"}')
    record = json.loads(failures.receive()["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "on purpose"
    letter = dead.receive()
    assert letter["Body"] == '{"fail": "on purpose"}'
    attributes = {
        name: (value["DataType"], value["StringValue"])
        for name, value in letter["MessageAttributes"].items()
    }
    assert attributes == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "on purpose"),
    }
    events.wait("sad", done=1, dead=0)


def test_topics_and_buses_pass_records_on(events: Events, moto: Moto) -> None:
    by_topic, by_bus = Queue(moto, "by-topic"), Queue(moto, "by-bus")
    sns, bridge = moto.client("sns"), moto.client("events")
    topic = sns.create_topic(Name="outcomes")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_topic.arn)
    bus = bridge.create_event_bus(Name="outcomes")["EventBusArn"]
    pattern = json.dumps({"source": ["lambda"]})
    bridge.put_rule(Name="all", EventBusName="outcomes", EventPattern=pattern)
    bridge.put_targets(
        Rule="all", EventBusName="outcomes", Targets=[{"Id": "1", "Arn": by_bus.arn}]
    )
    configure(events, "announced", on_success=topic, on_failure=bus)
    first = events.send("announced", b"{}")
    told = json.loads(json.loads(by_topic.receive()["Body"])["Message"])
    assert told["requestContext"]["requestId"] == first
    second = events.send("announced", b'{"fail": "x"}')
    event = json.loads(by_bus.receive()["Body"])
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["detail"]["requestContext"]["requestId"] == second
    assert event["resources"] == [bus, f"{ARN}announced:$LATEST"]


def test_a_bucket_gets_failures(events: Events, moto: Moto) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="failures")
    configure(events, "stored", on_failure="arn:aws:s3:::failures")
    request_id = events.send("stored", b'{"fail": "x"}')
    events.wait("stored", done=1)
    [found] = s3.list_objects_v2(Bucket="failures")["Contents"]
    assert found["Key"].startswith("aws/lambda/async/stored/")
    record = json.loads(s3.get_object(Bucket="failures", Key=found["Key"])["Body"].read())
    assert record["requestContext"]["requestId"] == request_id


def test_another_function_gets_the_record_once(events: Events) -> None:
    events.harness.create("listener", SOURCE)
    configure(events, "speaker", on_success=f"{ARN}listener")
    events.send("speaker", b'{"said": 1}')
    events.wait("speaker", done=1)
    events.wait("listener", enqueued=1, done=1)


class _Sink(http.server.BaseHTTPRequestHandler):
    """Takes what is posted, with the statuses that it was given first."""

    statuses: list[int]
    taken: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        status = self.statuses.pop(0) if self.statuses else 204
        if status < 300:
            self.taken.append(({k.lower(): v for k, v in self.headers.items()}, content))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[tuple[str, type[_Sink]]]:
    """An HTTP server that takes CloudEvents."""
    handler = type("Sink", (_Sink,), {"statuses": [], "taken": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/events", handler
    server.shutdown()
    server.server_close()


def test_an_http_address_gets_a_cloud_event(events: Events, sink: tuple[str, type[_Sink]]) -> None:
    url, handler = sink
    handler.statuses.append(503)
    configure(events, "posted", on_success=url)
    request_id = events.send("posted", b'{"b": 2}')
    events.wait("posted", waiting=1, in_flight=0)
    assert handler.taken == []
    events.pass_time(2)
    events.wait("posted", done=1)
    [(headers, content)] = handler.taken
    assert {name: headers[name] for name in headers if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-type": "dev.pilotlight.invocation.success",
        "ce-source": f"{ARN}posted:$LATEST",
        "ce-id": request_id,
        "ce-time": json.loads(content)["timestamp"],
    }
    assert json.loads(content)["responsePayload"] == {"got": {"b": 2}}
    until(lambda: events.runs("posted") == [request_id])  # the function did not run again


def test_what_cannot_be_delivered_becomes_a_dead_letter_and_is_delivered_when_redriven(
    events: Events, moto: Moto
) -> None:
    missing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:not-there-yet"
    configure(events, "unheard", on_success=missing)
    request_id = events.send("unheard")
    until(lambda: events.runs("unheard") == [request_id])

    until(lambda: events.skip_waiting("unheard").dead)
    queue = events.harness.events
    function = FunctionKey("default", "unheard")
    [letter] = events.harness.call(queue.dead_letters(function, limit=2))
    assert letter.reason == "DestinationDeliveryFailed"
    assert letter.message.startswith(f"Success, and nobody could be told: {missing}")
    text = events.harness.gateway.services.metrics.render().decode()
    failures = "pilotlight_async_destination_delivery_failures_total"
    assert f'{failures}{{function="unheard",kind="sqs",namespace="default"}} 10.0' in text
    late = Queue(moto, "not-there-yet")
    events.harness.call(queue.redrive(function, 0.0, expires_at=1e12))
    assert json.loads(late.receive()["Body"])["requestContext"]["requestId"] == request_id
    assert events.runs("unheard") == [request_id]
