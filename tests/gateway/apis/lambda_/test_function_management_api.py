"""Recursive loops and runtime updates, as set by their own operations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from pilotlight_gateway.invocation.lineage import MOST_HOPS, count_hop
from tests.support.gateway import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

NAME = "managed"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"


@pytest.fixture(scope="module", autouse=True)
def _function(platform: GatewayHarness) -> None:
    platform.create(NAME, "def handler(event, context):\n    return 1\n")


def in_a_loop() -> str:
    """Return the trace of a chain in which the function has run as often as it may."""
    trace = "Root=1-00000000-000000000000000000000000"
    for _ in range(MOST_HOPS + 1):
        trace = count_hop(trace, ARN)
    return trace


def invoke(platform: GatewayHarness) -> int:
    """Invoke the function within that chain; gives the status."""
    path = f"/2015-03-31/functions/{NAME}/invocations"
    status, _, _ = platform.post(path, b"{}", {"X-Amzn-Trace-Id": in_a_loop()})
    return status


def test_a_loop_is_stopped_unless_it_is_allowed(platform: GatewayHarness) -> None:
    client = platform.client()
    assert client.get_function_recursion_config(FunctionName=NAME)["RecursiveLoop"] == "Terminate"
    assert invoke(platform) == 400
    client.put_function_recursion_config(FunctionName=NAME, RecursiveLoop="Allow")
    assert client.get_function_recursion_config(FunctionName=NAME)["RecursiveLoop"] == "Allow"
    assert invoke(platform) == 200
    client.put_function_recursion_config(FunctionName=NAME, RecursiveLoop="Terminate")
    assert invoke(platform) == 400


def test_a_setting_of_loops_changes_no_revision(platform: GatewayHarness) -> None:
    """An environment that is warm stays so."""
    client = platform.client()
    before = client.get_function_configuration(FunctionName=NAME)
    client.put_function_recursion_config(FunctionName=NAME, RecursiveLoop="Allow")
    after = client.get_function_configuration(FunctionName=NAME)
    assert after["CodeSha256"] == before["CodeSha256"]
    assert json.load(client.invoke(FunctionName=NAME)["Payload"]) == 1
    client.put_function_recursion_config(FunctionName=NAME, RecursiveLoop="Terminate")


def test_runtimes_update_by_themselves_and_nothing_else(platform: GatewayHarness) -> None:
    client = platform.client()
    put = client.put_runtime_management_config
    assert put(FunctionName=NAME, UpdateRuntimeOn="Auto")["FunctionArn"] == ARN
    found = client.get_runtime_management_config(FunctionName=NAME)
    assert (found["UpdateRuntimeOn"], found["FunctionArn"]) == ("Auto", ARN)
    with pytest.raises(ClientError, match="UpdateRuntimeOn FunctionUpdate is not supported"):
        put(FunctionName=NAME, UpdateRuntimeOn="FunctionUpdate")
    with pytest.raises(ClientError, match="only allowed with UpdateRuntimeOn Manual"):
        put(
            FunctionName=NAME,
            UpdateRuntimeOn="Auto",
            RuntimeVersionArn=f"arn:aws:lambda:{REGION}::runtime:{'0' * 64}",
        )
