"""What is still to be told survives in the queue, and what is told can always be written."""

from __future__ import annotations

import json

import pytest

from pilotlight_gateway.events.attempt import Ran
from pilotlight_gateway.events.delivery import Delivery, Destination
from pilotlight_gateway.events.record import FailedBatch, InvocationRecord
from tests.support.events import event

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"
STORED = b"""{
    "ended": {"condition": "RetriesExhausted", "message": "no", "tries": 3, "response":
        {"payload": "{\\"errorMessage\\": \\"\\u00fc\\"}", "version": "7",
         "function_error": "Unhandled"}},
    "targets": [{"address": "arn:aws:sqs:us-east-1:000000000000:q", "dead_letter": false},
        {"address": "arn:aws:sqs:us-east-1:000000000000:other", "dead_letter": true}],
    "ended_at": 5.5, "attempts": 2
}"""
"""As every version so far writes it."""


def test_what_an_earlier_version_stored_is_read() -> None:
    waiting = event("a", delivery=STORED)
    ran = Ran('{"errorMessage": "ü"}'.encode(), "7", "Unhandled")
    record = InvocationRecord(waiting, "RetriesExhausted", "no", 3, 5.5, ran)
    destinations = (Destination(QUEUE), Destination(OTHER, dead_letter=True))
    assert Delivery.of(waiting) == Delivery(record, destinations, attempts=2)


def test_an_earlier_version_can_read_what_is_stored() -> None:
    assert json.loads(Delivery.of(event("a", delivery=STORED)).dump()) == json.loads(STORED)


def test_an_end_without_a_run_is_stored_too() -> None:
    record = InvocationRecord(event("a"), "EventAgeExceeded", "old", 0, 5.5)
    text = Delivery(record, (Destination(QUEUE),)).dump()
    assert json.loads(text)["ended"]["response"] is None
    assert Delivery.of(event("a", delivery=text)).record.ran is None


def test_a_batch_of_a_stream_is_named_and_a_bucket_gets_it() -> None:
    """Once it was stored and read again; its requestPayload is no part of what is told."""
    batch = FailedBatch("uid", "shard-1", "KinesisBatchInfo", {"batchSize": 2})
    record = InvocationRecord(
        event("a", payload=b"whole"), "RecordAgeExceeded", "", 0, 5.5, batch=batch
    )
    text = Delivery(record, (Destination(QUEUE),)).dump()
    read = Delivery.of(event("a", payload=b"whole", delivery=text)).record
    assert read.batch == batch
    told = json.loads(Destination(QUEUE).message(read, "us-east-1"))
    assert told["KinesisBatchInfo"] == {"batchSize": 2}
    assert not {"payload", "requestPayload", "responseContext"} & set(told)
    assert told["requestContext"]["functionArn"].endswith(":function:f")
    kept = json.loads(Destination("arn:aws:s3:::bucket").message(read, "us-east-1"))
    assert kept == told | {"payload": "whole"}


@pytest.mark.parametrize(
    "payload",
    [b"{}", '"ü"'.encode(), b'"\\ud800"', b"\xff", b"[" * 100_000, b"[" * 900 + b"]" * 900],
)
def test_any_payload_can_be_told(payload: bytes) -> None:
    """Half of a surrogate pair is JSON, but no text; what nests too deeply is told as text."""
    failed = Ran(payload, "$LATEST", "Unhandled")
    record = InvocationRecord(event("a", payload=payload), "RetriesExhausted", "no", 3, 5.5, failed)
    for destination in (Destination(QUEUE), Destination(OTHER, dead_letter=True)):
        assert destination.message(record, "us-east-1").encode()
        for kind, value in destination.attributes(record).values():
            assert kind in {"String", "Number"}
            assert value.encode()
    document = json.loads(record.text("us-east-1"))
    assert document["requestPayload"] == document["responsePayload"]


def test_a_dead_letter_has_the_functions_own_words() -> None:
    payload = b'{"errorMessage": "no \\ud800", "errorType": "E"}'
    failed = Ran(payload, "$LATEST", "Unhandled")
    record = InvocationRecord(event("a"), "RetriesExhausted", "", 3, 5.5, failed)
    attributes = Destination(QUEUE, dead_letter=True).attributes(record)
    assert attributes == {
        "RequestID": ("String", "a"),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no ?"),
    }
    assert Destination(QUEUE).attributes(record) == {}
