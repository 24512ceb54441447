"""Event source mappings by boto3: Lambda's members, states and error texts; nothing bad stored."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pilotlight.resources import EventSourceMapping, ObjectMeta, Secret
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.support.noting import note_before_replacing
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.elasticmq import ElasticMq

HANDLER = "def handler(event, context):\n    return None\n"
SQS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
KAFKA = {
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:1"]}},
    "Topics": ["orders"], "StartingPosition": "TRIM_HORIZON",
}  # fmt: skip


@pytest.fixture(scope="module")
def platform(mq: ElasticMq, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    mq.queue("orders")
    mq.queue("short", VisibilityTimeout="2")
    mq.queue("ordered.fifo")
    harness = GatewayHarness(tmp_path_factory.mktemp("pods"), aws_endpoint_url=mq.url)
    for name in ("handles", "other"):
        harness.create(name, HANDLER)
    yield harness
    harness.close()


@pytest.fixture
def client(platform: GatewayHarness) -> Iterator[Any]:
    # What botocore would refuse by itself is the platform's to refuse here.
    found = platform.client(config=Config(retries={"max_attempts": 0}, parameter_validation=False))
    yield found
    for one in found.list_event_source_mappings()["EventSourceMappings"]:
        found.delete_event_source_mapping(UUID=one["UUID"])


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def wait_for_state(client: Any, uuid: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (found := client.get_event_source_mapping(UUID=uuid))["State"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    answer: dict[str, Any] = found
    return answer


def test_tags_of_a_mapping(client: Any) -> None:
    """Given with it, and changed by its ARN."""
    arn = client.create_event_source_mapping(
        EventSourceArn=SQS + "orders", FunctionName="handles", Tags={"team": "a"}
    )["EventSourceMappingArn"]
    client.tag_resource(Resource=arn, Tags={"more": "1"})
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "a", "more": "1"}
    client.untag_resource(Resource=arn, TagKeys=["team"])
    assert client.list_tags(Resource=arn)["Tags"] == {"more": "1"}


def test_a_mapping_from_its_creation_to_its_end(client: Any) -> None:
    """Defaults, states and what an update changes are Lambda's."""
    made = client.create_event_source_mapping(EventSourceArn=SQS + "orders", FunctionName="handles")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (made["State"], made["StateTransitionReason"]) == ("Creating", "USER_INITIATED")
    assert (made["BatchSize"], made["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert made["EventSourceArn"] == SQS + "orders"
    assert made["FunctionArn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:handles"
    assert not {"Topics", "Queues", "SourceAccessConfigurations"} & made.keys()
    uuid = made["UUID"]
    assert made["EventSourceMappingArn"].endswith(f":event-source-mapping:{uuid}")
    found = wait_for_state(client, uuid, "Enabled")
    assert found["LastProcessingResult"] == "No records processed"
    changed = client.update_event_source_mapping(
        UUID=uuid, BatchSize=5, ScalingConfig={"MaximumConcurrency": 7},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    assert changed["ScalingConfig"] == {"MaximumConcurrency": 7}
    assert changed["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert changed["State"] == "Updating"
    cleared = client.update_event_source_mapping(UUID=uuid, ScalingConfig={}, Enabled=False)
    assert "ScalingConfig" not in cleared
    assert (cleared["State"], cleared["BatchSize"]) == ("Disabling", 5)
    assert client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    with pytest.raises(ClientError) as error:
        client.get_event_source_mapping(UUID=uuid)
    assert refusal(error) == (
        "ResourceNotFoundException", "The resource you requested does not exist.",
    )  # fmt: skip


def test_what_the_platform_notes_meanwhile_is_no_conflict(
    platform: GatewayHarness, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a mapping comes to be polled just while it is changed."""
    made = client.create_event_source_mapping(EventSourceArn=SQS + "orders", FunctionName="handles")
    wait_for_state(client, made["UUID"], "Enabled")
    notes = note_before_replacing(platform, monkeypatch)
    changed = client.update_event_source_mapping(UUID=made["UUID"], BatchSize=3)
    assert (notes, changed["BatchSize"]) == (["noted"], 3)


@pytest.mark.parametrize(
    "name",
    [
        "handles", f"{ACCOUNT}:function:handles",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:handles",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:handles:$LATEST",
    ],
)  # fmt: skip
def test_every_form_of_a_functions_name(client: Any, name: str) -> None:
    made = client.create_event_source_mapping(
        EventSourceArn=SQS + "orders", FunctionName=name, Enabled=False
    )
    assert made["FunctionArn"].startswith(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:handles")


def test_lists_are_by_source_and_function_and_paged(client: Any) -> None:
    for function in ("handles", "other"):
        client.create_event_source_mapping(
            EventSourceArn=SQS + "orders", FunctionName=function, Enabled=False
        )
    listed = client.list_event_source_mappings
    assert len(listed(EventSourceArn=SQS + "orders")["EventSourceMappings"]) == 2
    assert len(listed(FunctionName="other")["EventSourceMappings"]) == 1
    assert listed(FunctionName="nobody")["EventSourceMappings"] == []
    first = listed(MaxItems=1)
    second = listed(MaxItems=1, Marker=first["NextMarker"])
    uuids = {one["UUID"] for page in (first, second) for one in page["EventSourceMappings"]}
    assert len(uuids) == 2


def test_one_mapping_of_a_source_and_a_function(client: Any) -> None:
    """Lambda's text, with the UUID of the other; of another function there may be one."""
    given = {"EventSourceArn": SQS + "orders", "FunctionName": "handles", "Enabled": False}
    first = client.create_event_source_mapping(**given)
    with pytest.raises(ClientError) as error:
        client.create_event_source_mapping(**given)
    assert refusal(error) == (
        "ResourceConflictException",
        (
            f'The event source arn (" {SQS}orders ") and function (" handles ") provided mapping '
            "already exists. Please update or delete the existing mapping with UUID "
            f"{first['UUID']}"
        ),
    )
    other = client.create_event_source_mapping(**given | {"FunctionName": "other"})
    with pytest.raises(ClientError, match="already exists"):
        client.update_event_source_mapping(UUID=other["UUID"], FunctionName="handles")


BAD: list[tuple[dict[str, Any], str, str]] = [
    (
        {"EventSourceArn": SQS + "nobody"},
        "InvalidParameterValueException",
        (
            "Error occurred while ReceiveMessage. SQS Error Code: "
            "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
            "not exist"
        ),
    ),
    (
        {"EventSourceArn": "arn:aws:s3:us-east-1:000000000000:bucket"},
        "InvalidParameterValueException",
        "Unrecognized event source, arn:aws:s3",
    ),
    ({}, "InvalidParameterValueException", "Unrecognized event source, none came."),
    (
        {"EventSourceArn": SQS + "orders", "FunctionName": "missing"},
        "ResourceNotFoundException",
        f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:missing",
    ),
    (
        {"EventSourceArn": SQS + "short"},
        "InvalidParameterValueException",
        "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds",
    ),
    (
        {"EventSourceArn": SQS + "orders", "BatchSize": 11},
        "InvalidParameterValueException",
        (
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        ),
    ),
    (
        {"EventSourceArn": SQS + "orders", "BatchSize": 10_001},
        "ValidationException",
        "Value '10001' at 'batchSize' failed to satisfy constraint",
    ),
    (
        {"EventSourceArn": SQS + "ordered.fifo", "MaximumBatchingWindowInSeconds": 5},
        "InvalidParameterValueException",
        "Batching window is not supported for FIFO queues",
    ),
    (
        {"EventSourceArn": SQS + "ordered.fifo", "BatchSize": 11},
        "InvalidParameterValueException",
        "exceeds the maximum of 10",
    ),
    (
        {"EventSourceArn": SQS + "orders", "StartingPosition": "LATEST"},
        "InvalidParameterValueException",
        "startingPosition is not supported for SQS event sources.",
    ),
    (
        {"EventSourceArn": SQS + "orders", "ParallelizationFactor": 2},
        "InvalidParameterValueException",
        "parallelizationFactor is not supported for SQS event sources.",
    ),
    (
        {"EventSourceArn": SQS + "orders", "ScalingConfig": {"MaximumConcurrency": 1}},
        "ValidationException",
        "Value '1' at 'scalingConfig.maximumConcurrency' failed to satisfy constraint",
    ),
    (
        {
            "EventSourceArn": SQS + "orders",
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}, {"Pattern": '{"body": 1}'}]},
        },
        "InvalidParameterValueException",
        "Invalid filter pattern definition. Filters[0].Pattern",
    ),
    (
        {
            "EventSourceArn": SQS + "orders",
            "ProvisionedPollerConfig": {"MinimumPollers": 2},
        },
        "NotImplementedException",
        "ProvisionedPollerConfig is not supported yet.",
    ),
    (
        KAFKA
        | {
            "SelfManagedKafkaEventSourceConfig": {
                "SchemaRegistryConfig": {
                    "SchemaRegistryURI": "https://registry.example.com",
                    "EventRecordFormat": "JSON",
                    "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
                }
            }
        },
        "NotImplementedException",
        "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig is not supported yet.",
    ),
    (
        KAFKA | {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}},
        "NotImplementedException",
        "SelfManagedKafkaEventSourceConfig.ConsumptionMode Queue is not supported yet.",
    ),
    (
        KAFKA | {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Stream"}},
        "InvalidParameterValueException",
        "127.0.0.1:1 cannot be reached",
    ),
]


@pytest.mark.parametrize(("members", "code", "text"), BAD)
def test_what_is_wrong_is_said_as_lambda_says_it(
    platform: GatewayHarness, client: Any, members: dict[str, Any], code: str, text: str
) -> None:
    """And nothing is stored."""
    with pytest.raises(ClientError) as error:
        client.create_event_source_mapping(**{"FunctionName": "handles"} | members)
    found_code, message = refusal(error)
    assert found_code == code
    assert text in message
    assert list(platform.cache.all(EventSourceMapping)) == []


def test_an_endpoint_that_nobody_answers_at(platform: GatewayHarness, client: Any) -> None:
    """The account's Secret says where its queues are, before the platform's own setting."""
    secret = Secret(
        metadata=ObjectMeta(name="aws-credentials", namespace="default"),
        string_data={"AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{free_port()}"},
    )
    platform.call(platform.resources.create(secret))
    platform.gateway.services.aws_credentials._kept.clear()
    try:
        with pytest.raises(ClientError, match="cannot be reached") as error:
            client.create_event_source_mapping(
                EventSourceArn=SQS + "orders", FunctionName="handles"
            )
    finally:
        platform.call(platform.resources.delete(Secret, secret.key))
        platform.gateway.services.aws_credentials._kept.clear()
    assert refusal(error)[0] == "InvalidParameterValueException"
    assert list(platform.cache.all(EventSourceMapping)) == []


def test_what_a_manifest_says_the_api_shows(platform: GatewayHarness, client: Any) -> None:
    """Two doors: a mapping that was applied, with its endpoint, is Lambda's."""
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "EventSourceMapping",
        "metadata": {"name": "applied"},
        "spec": {
            "function": "handles", "eventSourceArn": SQS + "orders", "batchSize": 3,
            "scalingConfig": {"maximumConcurrency": 2},
        },
    }  # fmt: skip
    status, _, body = platform.post("/-/apply", json.dumps(manifest).encode())
    assert (status, json.loads(body)["spec"]["batchSize"]) == (200, 3)
    [listed] = client.list_event_source_mappings(FunctionName="handles")["EventSourceMappings"]
    assert (listed["BatchSize"], listed["ScalingConfig"]) == (3, {"MaximumConcurrency": 2})
    wait_for_state(client, listed["UUID"], "Enabled")


@pytest.mark.parametrize("moment", [1e300, -1e20, 1e15, "2026-99-99T99:99:99Z", "soon"])
def test_a_time_that_there_is_not_is_refused(platform: GatewayHarness, moment: Any) -> None:
    """By both doors: stored, it would break every list of the account's mappings."""
    asked = {
        "FunctionName": "handles", "StartingPosition": "AT_TIMESTAMP",
        "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
        "StartingPositionTimestamp": moment,
    }  # fmt: skip
    path = "/2015-03-31/event-source-mappings/"
    status, _, _ = platform.post(path, json.dumps(asked).encode())
    assert status == 400
    spec = {
        "function": "handles", "eventSourceArn": asked["EventSourceArn"],
        "startingPosition": "AT_TIMESTAMP", "startingPositionTimestamp": str(moment),
    }  # fmt: skip
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "EventSourceMapping",
        "metadata": {"name": "never"}, "spec": spec,
    }  # fmt: skip
    assert platform.post("/-/apply", json.dumps(manifest).encode())[0] == 400
    for name in ("\u0662\u0660\u0662\u0666-01-01T00:00:00Z", "0000-01-01T00:00:00Z"):
        spec["startingPositionTimestamp"] = name
        assert platform.post("/-/apply", json.dumps(manifest).encode())[0] == 400
    assert platform.get(path)[0] == 200


def test_a_manifest_that_breaks_a_rule_is_refused(platform: GatewayHarness) -> None:
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "EventSourceMapping",
        "metadata": {"name": "bad"},
        "spec": {
            "function": "handles", "eventSourceArn": SQS + "ordered.fifo",
            "maximumBatchingWindowInSeconds": 3,
        },
    }  # fmt: skip
    status, _, body = platform.post("/-/apply", json.dumps(manifest).encode())
    assert status == 400
    assert "Batching window is not supported for FIFO queues" in body.decode()
