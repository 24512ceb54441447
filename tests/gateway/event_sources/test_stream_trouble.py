"""Streams that are deleted and keys that are revoked, on real servers: it is said, and it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .conftest import bodies, until
from .test_kinesis import NOTE, START, records

if TYPE_CHECKING:
    from .conftest import Streaming


def reason(streaming: Streaming, function: str) -> str:
    """Return why the mapping of a function is not ready; empty where it is."""
    mappings = json.loads(streaming.harness.get("/-/eventsourcemappings")[2])["items"]
    [found] = [one for one in mappings if one["spec"]["function"] == function]
    [ready] = found["status"]["conditions"]
    return "" if ready["status"] == "True" else str(ready["reason"])


def test_a_stream_that_is_deleted_is_said_and_one_made_anew_is_read(streaming: Streaming) -> None:
    """In state, result and condition; the new stream's records, from its oldest on."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    function, ledger = streaming.function(NOTE)
    uuid = streaming.map_source(arn, function, **START)
    streaming.kinesis.put(name, records("before"))
    until(lambda: bodies(ledger) == ["before"])
    streaming.kinesis.client.delete_stream(StreamName=name)

    def said() -> dict[str, Any] | None:
        found = streaming.mapping(uuid)
        return found if "Stream not found" in found["StateTransitionReason"] else None

    found = until(said)
    assert found["LastProcessingResult"] == f"PROBLEM: Stream not found: {arn}"
    assert reason(streaming, function) == "NotFound"
    assert streaming.kinesis.stream(name) == arn
    streaming.kinesis.put(name, records("after"))
    until(lambda: bodies(ledger) == ["before", "after"], 60)
    until(lambda: not reason(streaming, function))
