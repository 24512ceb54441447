"""Reserved concurrency end to end: operations, exact caps under load, throttles with reasons."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.gateway.apis.lambda_.test_invoke_api import raw

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.gateway import GatewayHarness

SOURCE = """
import os, time
def handler(event, context):
    marker = os.path.join(event["folder"], context.aws_request_id)
    open(marker, "w").close()
    running = len(os.listdir(event["folder"]))
    time.sleep(0.1)
    os.unlink(marker)
    return running
"""


def test_put_get_and_delete(platform: GatewayHarness) -> None:
    platform.create("reserving", "def handler(e, c):\n    return 1\n")
    client = platform.client()
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(
        FunctionName="reserving"
    )
    put = client.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=7)
    assert put["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName="reserving")["Concurrency"] == {
        "ReservedConcurrentExecutions": 7
    }
    unreserved = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert unreserved <= 993
    client.delete_function_concurrency(FunctionName="reserving")
    assert "Concurrency" not in client.get_function(FunctionName="reserving")


@pytest.mark.parametrize(
    ("name", "count", "text"),
    [
        ("keeping", 901, "below its minimum value of [100]"),
        ("keeping:$LATEST", 1, "permitted on Lambda functions only"),
        ("keeping", -1, "at 'reservedConcurrentExecutions' failed to satisfy constraint"),
    ],
)
def test_what_cannot_be_reserved(
    platform: GatewayHarness, name: str, count: int, text: str
) -> None:
    with contextlib.suppress(ClientError):  # another case made it
        platform.create("keeping", "def handler(e, c):\n    return 1\n")
    client = platform.client(config=Config(parameter_validation=False))
    with pytest.raises(ClientError) as refused:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=count)
    assert text in str(refused.value)


def test_never_more_run_than_are_reserved(platform: GatewayHarness, tmp_path: Path) -> None:
    platform.create("capped", SOURCE, Timeout=30)
    client = platform.client()
    client.put_function_concurrency(FunctionName="capped", ReservedConcurrentExecutions=3)
    event = json.dumps({"folder": str(tmp_path)}).encode()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers: list[Any] = list(pool.map(lambda _: raw(platform, "capped", event), range(60)))
    running = [int(content) for status, _, content in answers if status == 200]
    throttled = [json.loads(content) for status, _, content in answers if status == 429]
    assert len(running) + len(throttled) == 60
    assert running
    assert max(running) <= 3
    assert throttled
    reasons = {document["Reason"] for document in throttled}
    assert reasons == {"ReservedFunctionConcurrentInvocationLimitExceeded"}


def test_zero_switches_a_warm_function_off(platform: GatewayHarness) -> None:
    platform.create("switched", "def handler(e, c):\n    return 1\n")
    assert raw(platform, "switched", b"{}")[0] == 200
    client = platform.client()
    client.put_function_concurrency(FunctionName="switched", ReservedConcurrentExecutions=0)
    status, _, content = raw(platform, "switched", b"{}")
    assert status == 429
    assert b"ReservedFunctionConcurrentInvocationLimitExceeded" in content
    client.delete_function_concurrency(FunctionName="switched")
    assert raw(platform, "switched", b"{}")[0] == 200
