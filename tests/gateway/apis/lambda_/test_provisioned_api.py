"""Provisioned concurrency end to end: initialised before anyone asks, the rest on demand."""

from __future__ import annotations

import concurrent.futures
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.gateway import GatewayHarness

SOURCE = """
import os, time
def handler(event, context):
    if "folder" in event:
        open(os.path.join(event["folder"], context.aws_request_id), "w").close()
        while len(os.listdir(event["folder"])) < event["callers"]:
            time.sleep(0.01)
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def published(platform: GatewayHarness, name: str) -> Any:
    """Make a function with version 1 and an alias of it; gives a client."""
    platform.create(name, SOURCE, Publish=True, Timeout=20)
    client = platform.client()
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return client


def wait_until_ready(client: Any, name: str, qualifier: str, available: int) -> None:
    """Wait until that many environments are initialised."""
    deadline = time.monotonic() + 20
    state: dict[str, Any] = {}
    while time.monotonic() < deadline:
        state = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        if state["Status"] == "READY":
            assert state["AvailableProvisionedConcurrentExecutions"] == available
            return
        time.sleep(0.05)
    raise AssertionError(state)


def initialisation(client: Any, name: str, qualifier: str, **event: Any) -> str:
    """Invoke, and give how the environment was initialised.

    With a `folder` every call waits there until there are as many as `callers`.
    """
    payload = json.dumps(event)
    answer = client.invoke(FunctionName=name, Qualifier=qualifier, Payload=payload)
    return str(json.load(answer["Payload"]))


def test_environments_stand_ready_and_others_spill_over(
    platform: GatewayHarness, tmp_path: Path
) -> None:
    """Two are provisioned; of four calls at once two start environments on demand."""
    client = published(platform, "ready")
    asked = client.put_provisioned_concurrency_config(
        FunctionName="ready", Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    assert asked["Status"] == "IN_PROGRESS"
    assert asked["RequestedProvisionedConcurrentExecutions"] == 2
    wait_until_ready(client, "ready", "1", 2)
    assert initialisation(client, "ready", "live") == "provisioned-concurrency"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        meet = {"folder": str(tmp_path), "callers": 4}
        calls = [pool.submit(initialisation, client, "ready", "1", **meet) for _ in range(4)]
        told = sorted(call.result() for call in calls)
    assert told == ["on-demand"] * 2 + ["provisioned-concurrency"] * 2


def test_it_follows_an_alias(platform: GatewayHarness) -> None:
    """Pointed elsewhere, the alias takes its environments along; deleted, they go."""
    client = published(platform, "followed")
    client.update_function_configuration(FunctionName="followed", Description="another")
    wait_for(client, "function_updated_v2", FunctionName="followed")
    client.publish_version(FunctionName="followed", Description="two")
    client.put_provisioned_concurrency_config(
        FunctionName="followed", Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    wait_until_ready(client, "followed", "live", 1)
    client.update_alias(FunctionName="followed", Name="live", FunctionVersion="2")
    deadline = time.monotonic() + 20
    while initialisation(client, "followed", "2") != "provisioned-concurrency":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert initialisation(client, "followed", "1") == "on-demand"
    client.delete_provisioned_concurrency_config(FunctionName="followed", Qualifier="live")
    with pytest.raises(ClientError) as error:
        client.get_provisioned_concurrency_config(FunctionName="followed", Qualifier="live")
    said = error.value.response["Error"]["Code"]
    assert said == "ProvisionedConcurrencyConfigNotFoundException"
    client.delete_provisioned_concurrency_config(FunctionName="followed", Qualifier="live")


def test_a_failing_init_is_told(platform: GatewayHarness) -> None:
    """Status FAILED with Lambda's reason."""
    platform.create("broken", "import os\nos._exit(3)\n", Publish=True)
    client = platform.client()
    client.put_provisioned_concurrency_config(
        FunctionName="broken", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    deadline = time.monotonic() + 20
    while True:
        state = client.get_provisioned_concurrency_config(FunctionName="broken", Qualifier="1")
        if state["Status"] == "FAILED":
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    assert state["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert state["AvailableProvisionedConcurrentExecutions"] == 0
    client.delete_provisioned_concurrency_config(FunctionName="broken", Qualifier="1")


@pytest.mark.parametrize(
    ("qualifier", "count", "code", "text"),
    [
        ("$LATEST", 1, "InvalidParameterValueException", "unpublished function versions"),
        ("newest", 1, "InvalidParameterValueException", "unpublished function versions"),
        ("1", 6, "InvalidParameterValueException", "greater than the reservedConcurrent"),
        ("7", 1, "ResourceNotFoundException", "limits:7"),
        ("nobody", 1, "ResourceNotFoundException", "nobody"),
        ("live", 1, "ResourceConflictException", "already Provisioned version"),
    ],
)
def test_what_cannot_be_provisioned(
    platform: GatewayHarness, qualifier: str, count: int, code: str, text: str
) -> None:
    """Each is refused with the error that Lambda gives it."""
    client = platform.client()
    try:
        client.get_function(FunctionName="limits")
    except ClientError:
        published(platform, "limits")
        client.put_function_concurrency(FunctionName="limits", ReservedConcurrentExecutions=5)
        client.create_alias(FunctionName="limits", Name="newest", FunctionVersion="$LATEST")
        client.put_provisioned_concurrency_config(
            FunctionName="limits", Qualifier="1", ProvisionedConcurrentExecutions=1
        )
    with pytest.raises(ClientError) as error:
        client.put_provisioned_concurrency_config(
            FunctionName="limits", Qualifier=qualifier, ProvisionedConcurrentExecutions=count
        )
    assert error.value.response["Error"]["Code"] == code
    assert text in error.value.response["Error"]["Message"]
    listed = client.list_provisioned_concurrency_configs(FunctionName="limits")
    assert [one["FunctionArn"][-2:] for one in listed["ProvisionedConcurrencyConfigs"]] == [":1"]


def test_a_reservation_contains_what_is_provisioned(platform: GatewayHarness) -> None:
    """What is guaranteed to start initialised may run."""
    client = published(platform, "contained")
    client.put_provisioned_concurrency_config(
        FunctionName="contained", Qualifier="live", ProvisionedConcurrentExecutions=2
    )
    with pytest.raises(ClientError, match=r"should not be lower than .* \[2\]") as refused:
        client.put_function_concurrency(FunctionName="contained", ReservedConcurrentExecutions=1)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert (
        client.get_function_concurrency(FunctionName="contained").get(
            "ReservedConcurrentExecutions"
        )
        is None
    )
    client.put_function_concurrency(FunctionName="contained", ReservedConcurrentExecutions=2)


def test_the_account_keeps_a_hundred(platform: GatewayHarness) -> None:
    """What is provisioned without a reservation counts, of the function itself and of others."""
    client = published(platform, "greedy")
    published(platform, "modest")
    client.put_provisioned_concurrency_config(
        FunctionName="modest", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    limit = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    with pytest.raises(ClientError, match=r"Specified ConcurrentExecutions .* below its minimum"):
        client.put_provisioned_concurrency_config(
            FunctionName="greedy", Qualifier="1", ProvisionedConcurrentExecutions=limit - 100
        )
    with pytest.raises(ClientError, match=r"ReservedConcurrentExecutions .* below its minimum"):
        client.put_function_concurrency(
            FunctionName="greedy", ReservedConcurrentExecutions=limit - 100
        )
    client.delete_provisioned_concurrency_config(FunctionName="modest", Qualifier="1")
