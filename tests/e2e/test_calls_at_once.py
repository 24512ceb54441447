"""Several calls in one environment, over two gateways: one pod, one /tmp, and a cap of calls."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from tests.support.cluster import Installation

CALLS = 4
SOURCE = """
import os, socket, time

def handler(event, context):
    open(f"/tmp/{context.aws_request_id}", "w").close()
    end = time.time() + 10
    while len(os.listdir("/tmp")) < event["calls"] and time.time() < end:
        time.sleep(0.05)
    return {
        "pod": socket.gethostname(),
        "met": len(os.listdir("/tmp")) >= event["calls"],
        "most": os.environ["AWS_LAMBDA_MAX_CONCURRENCY"],
    }
"""


def test_calls_meet_in_one_environment(platform: Installation) -> None:
    """Each waits for the others; one more than the cap is throttled, whoever is asked."""
    platform.apply(
        "meeting", SOURCE, timeout=20, memory=512,
        callsPerEnvironment=CALLS, reservedConcurrency=CALLS,
    )  # fmt: skip
    platform.wait_ready("meeting")
    client = platform.client()

    def call(_: int) -> Any:
        event = json.dumps({"calls": CALLS})
        return json.load(client.invoke(FunctionName="meeting", Payload=event)["Payload"])

    with ThreadPoolExecutor(CALLS) as callers:
        answers = list(callers.map(call, range(CALLS)))
    assert [answer["met"] for answer in answers] == [True] * CALLS
    assert {answer["most"] for answer in answers} == {str(CALLS)}
    assert len({answer["pod"] for answer in answers}) == 1
    with ThreadPoolExecutor(CALLS + 1) as callers:
        more = [callers.submit(_wait, client) for _ in range(CALLS + 1)]
        refused = [one.exception() for one in more if one.exception() is not None]
    (throttled,) = refused
    assert isinstance(throttled, ClientError)
    assert throttled.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_what_cannot_take_several_calls_is_refused(platform: Installation) -> None:
    """By the API server itself."""
    with pytest.raises(AssertionError, match="callsPerEnvironment above 1 is not supported"):
        platform.apply("alone", SOURCE, runtime="ruby3.3", callsPerEnvironment=2)
    with pytest.raises(AssertionError, match="not both more than 1"):
        platform.apply("both", SOURCE, callsPerEnvironment=2, environmentsPerPod=2)
    assert "alone" not in kubectl("get", "fn", "-n", platform.account)


def _wait(client: Any) -> None:
    """Call with more to wait for than ever come: each call lasts ten seconds."""
    client.invoke(FunctionName="meeting", Payload=b'{"calls": 1000}')
