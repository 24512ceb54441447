"""The five operations of FunctionEventInvokeConfig by boto3, and what they refuse."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.gateway import ACCOUNT, wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

SOURCE = "def handler(event, context):\n    return event\n"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:configured"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:results"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:failures"


@pytest.fixture(scope="module")
def client(platform: GatewayHarness) -> Any:
    platform.create("configured", SOURCE)
    platform.create("other", SOURCE)
    client = platform.client()
    client.publish_version(FunctionName="configured")
    client.create_alias(FunctionName="configured", Name="live", FunctionVersion="1")
    return client


def refusal(client: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        client.put_function_event_invoke_config(FunctionName="configured", **members)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_settings_are_put_read_and_deleted(client: Any) -> None:
    put = client.put_function_event_invoke_config(
        FunctionName="configured",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnSuccess": {"Destination": QUEUE}},
    )
    assert put["FunctionArn"] == f"{ARN}:$LATEST"
    assert put["MaximumRetryAttempts"] == 1
    assert "MaximumEventAgeInSeconds" not in put
    assert put["DestinationConfig"] == {"OnSuccess": {"Destination": QUEUE}, "OnFailure": {}}
    assert abs(put["LastModified"].timestamp() - time.time()) < 60
    got = client.get_function_event_invoke_config(FunctionName="configured")
    assert got["LastModified"] == put["LastModified"]
    client.delete_function_event_invoke_config(FunctionName="configured")
    with pytest.raises(ClientError, match=r"\$LATEST doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName="configured")
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        client.delete_function_event_invoke_config(FunctionName="configured")


def test_put_replaces_and_update_merges(client: Any) -> None:
    name = {"FunctionName": "configured"}
    client.put_function_event_invoke_config(**name, MaximumRetryAttempts=0)
    merged = client.update_function_event_invoke_config(
        **name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": TOPIC}},
    )
    assert (merged["MaximumRetryAttempts"], merged["MaximumEventAgeInSeconds"]) == (0, 60)
    assert merged["DestinationConfig"]["OnFailure"] == {"Destination": TOPIC}
    cleared = client.update_function_event_invoke_config(
        **name, DestinationConfig={"OnFailure": {}}
    )
    assert cleared["DestinationConfig"]["OnFailure"] == {}
    replaced = client.put_function_event_invoke_config(**name, MaximumEventAgeInSeconds=21_600)
    assert "MaximumRetryAttempts" not in replaced
    client.delete_function_event_invoke_config(**name)
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        client.update_function_event_invoke_config(**name, MaximumRetryAttempts=0)


def test_each_qualifier_has_its_own(client: Any) -> None:
    for attempts, qualifier in enumerate(("$LATEST", "1", "live")):
        client.put_function_event_invoke_config(
            FunctionName="configured", Qualifier=qualifier, MaximumRetryAttempts=attempts
        )
    got = client.get_function_event_invoke_config(FunctionName="configured:live")
    assert (got["FunctionArn"], got["MaximumRetryAttempts"]) == (f"{ARN}:live", 2)
    first = client.list_function_event_invoke_configs(FunctionName="configured", MaxItems=2)
    rest = client.list_function_event_invoke_configs(
        FunctionName="configured", Marker=first["NextMarker"]
    )
    listed = [*first["FunctionEventInvokeConfigs"], *rest["FunctionEventInvokeConfigs"]]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == ["$LATEST", "1", "live"]
    assert "NextMarker" not in rest
    for qualifier in ("$LATEST", "1", "live"):
        client.delete_function_event_invoke_config(FunctionName="configured", Qualifier=qualifier)


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        ({"MaximumRetryAttempts": 3}, "ValidationException", "less than or equal to 2"),
        ({"MaximumEventAgeInSeconds": 59}, "ValidationException", "greater than or equal to 60"),
        ({"MaximumEventAgeInSeconds": 21_601}, "ValidationException", "or equal to 21600"),
        ({}, "InvalidParameterValueException", "at least one of error handling or destination"),
    ],
)
def test_numbers_outside_lambdas_limits_are_refused(
    platform: GatewayHarness, client: Any, members: dict[str, Any], code: str, text: str
) -> None:
    assert client
    unchecked = platform.client(config=Config(parameter_validation=False))
    found, message = refusal(unchecked, **members)
    assert found == code
    assert text in message


@pytest.mark.parametrize(
    ("place", "destination", "text"),
    [
        ("OnFailure", ARN, "can't specify the function as a destination for itself"),
        ("OnFailure", f"{ARN}:live", "can't specify the function as a destination for itself"),
        ("OnSuccess", f"{ARN[:-10]}nobody", "the function does not exist"),
        ("OnSuccess", ARN.replace(ACCOUNT, "999999999999"), "a function of account"),
        ("OnSuccess", "arn:aws:s3:::bucket", "on failure only"),
        ("OnSuccess", "arn:aws:sqs:us-east-1:999999999999:q", f"one of account {ACCOUNT}"),
        ("OnSuccess", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t", "is expected"),
    ],
)
def test_a_destination_that_cannot_be_is_refused(
    client: Any, place: str, destination: str, text: str
) -> None:
    code, message = refusal(client, DestinationConfig={place: {"Destination": destination}})
    assert code == "InvalidParameterValueException"
    assert text in message
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName="configured")


def test_what_is_not_there_is_not_found(client: Any) -> None:
    for name in ("nobody", "configured:9", "configured:nobody"):
        with pytest.raises(ClientError) as refused:
            client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_dead_letter_queue_is_part_of_the_configuration(client: Any) -> None:
    changed = client.update_function_configuration(
        FunctionName="other", DeadLetterConfig={"TargetArn": QUEUE}
    )
    assert changed["DeadLetterConfig"] == {"TargetArn": QUEUE}
    wait_for(client, "function_updated_v2", FunctionName="other")
    cleared = client.update_function_configuration(
        FunctionName="other", DeadLetterConfig={"TargetArn": ""}
    )
    assert "DeadLetterConfig" not in cleared
