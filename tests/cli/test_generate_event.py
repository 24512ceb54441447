"""Samples of events: handlers' own data classes find in each whatever they look for."""

from __future__ import annotations

import base64
import inspect
import json
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest
from aws_lambda_powertools.utilities import data_classes as powertools
from aws_lambda_powertools.utilities.data_classes.active_mq_event import ActiveMQEvent
from aws_lambda_powertools.utilities.data_classes.cognito_user_pool_event import (
    CustomMessageTriggerEvent,
    PostAuthenticationTriggerEvent,
    PostConfirmationTriggerEvent,
    PreAuthenticationTriggerEvent,
    PreSignUpTriggerEvent,
    PreTokenGenerationTriggerEvent,
)
from aws_lambda_powertools.utilities.data_classes.common import DictWrapper
from aws_lambda_powertools.utilities.data_classes.rabbit_mq_event import RabbitMQEvent

from pilotlight_cli import main as entry
from pilotlight_cli.samples import SAMPLES

READERS: list[tuple[list[str], type[DictWrapper]]] = [
    (["api-gateway-1.0"], powertools.APIGatewayProxyEvent),
    (["api-gateway-2.0"], powertools.APIGatewayProxyEventV2),
    (["function-url"], powertools.LambdaFunctionUrlEvent),
    (["alb"], powertools.ALBEvent),
    (["s3"], powertools.S3Event),
    (["sns"], powertools.SNSEvent),
    (["sqs", "--count", "2"], powertools.SQSEvent),
    (["sqs", "--queue", "my.fifo"], powertools.SQSEvent),
    (["kinesis"], powertools.KinesisStreamEvent),
    (["dynamodb", "--change", "modify"], powertools.DynamoDBStreamEvent),
    (["kafka", "--header", "a:b"], powertools.KafkaEvent),
    (["msk"], powertools.KafkaEvent),
    (["activemq"], ActiveMQEvent),
    (["rabbitmq"], RabbitMQEvent),
    (["eventbridge"], powertools.EventBridgeEvent),
    (["schedule"], powertools.EventBridgeEvent),
    (["cloudwatch-logs"], powertools.CloudWatchLogsEvent),
    (["cloudwatch-alarm"], powertools.CloudWatchAlarmEvent),
    (["cognito"], PreSignUpTriggerEvent),
    (["cognito", "--trigger", "post-confirmation"], PostConfirmationTriggerEvent),
    (["cognito", "--trigger", "pre-authentication"], PreAuthenticationTriggerEvent),
    (["cognito", "--trigger", "post-authentication"], PostAuthenticationTriggerEvent),
    (["cognito", "--trigger", "pre-token-generation"], PreTokenGenerationTriggerEvent),
    (["cognito", "--trigger", "custom-message"], CustomMessageTriggerEvent),
]
"""What is read with which of Powertools' data classes."""
NESTED = {"decoded_nested_s3_event", "decoded_nested_sns_event"}
"""A message is none of another service."""


def generated(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        entry.main(["generate-event", *arguments])
    assert ended.value.code == 0
    return json.loads(capsys.readouterr().out)


def missing(read: object, where: str = "event") -> list[str]:
    """Read every property of a data class, and of those inside; return those that fail."""
    if isinstance(read, DictWrapper):
        names = [
            name
            for name, one in inspect.getmembers_static(type(read))
            if isinstance(one, property | cached_property) and name not in NESTED
        ]
        return [one for name in names for one in _missing(read, name, f"{where}.{name}")]
    if isinstance(read, list | Iterator):
        return [one for inner in read for one in missing(inner, where)]
    return []


def _missing(read: DictWrapper, name: str, where: str) -> list[str]:
    try:
        return missing(getattr(read, name), where)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return [f"{where}: {error!r}"]


@pytest.mark.parametrize(("arguments", "reader"), READERS, ids=str)
def test_powertools_finds_all_that_it_reads(
    arguments: list[str], reader: type[DictWrapper], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every property of its class for the source, down to the last record."""
    assert missing(reader(generated(capsys, *arguments))) == []


def test_every_source_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its defaults; those that no data class reads have their services' own members."""
    printed = {name: generated(capsys, name, "-o", "json") for name in SAMPLES}
    assert {"specversion", "id", "source", "type"} <= set(printed["cloudevents"])
    edge = printed["lambda-edge"]["Records"][0]["cf"]
    assert edge["config"]["eventType"] == "viewer-request"
    assert edge["request"]["headers"]["user-agent"][0]["key"] == "User-Agent"


def test_flags_reach_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, bodies, account and region, in the members that handlers look at."""
    stored = generated(capsys, "s3", "--bucket", "b", "--key", "a b/ü.csv")["Records"][0]["s3"]
    assert (stored["bucket"]["arn"], stored["object"]["key"]) == (
        "arn:aws:s3:::b",
        "a+b/%C3%BC.csv",
    )
    message = generated(capsys, "sqs", "--body", "hi", "--queue", "q.fifo", "--group", "g",
                        "--account", "123456789012", "--region", "eu-central-1")  # fmt: skip
    (record,) = message["Records"]
    assert (record["body"], record["attributes"]["MessageGroupId"]) == ("hi", "g")
    assert record["eventSourceARN"] == "arn:aws:sqs:eu-central-1:123456789012:q.fifo"
    streamed = generated(capsys, "kinesis", "--data", "é")["Records"][0]["kinesis"]
    assert base64.b64decode(streamed["data"]).decode() == "é"
    removed = generated(capsys, "dynamodb", "--change", "remove")["Records"][0]["dynamodb"]
    assert (removed["Keys"], "NewImage" in removed) == ({"order": {"N": "17"}}, False)


def test_a_request_has_its_path_parameters_query_and_headers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the gateway's own formats."""
    event = generated(capsys, "api-gateway-2.0", "--method", "GET", "--path", "/pets/7",
                      "--body", "", "--resource", "/pets/{id}", "--query", "a=1", "--query", "a=2",
                      "--header", "X-Test: yes")  # fmt: skip
    assert event["pathParameters"] == {"id": "7"}
    assert event["queryStringParameters"] == {"a": "1,2"}
    assert (event["headers"]["x-test"], "body" in event) == ("yes", False)


def test_a_schedule_with_an_input_sends_what_the_platform_sends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """EventBridge Scheduler's context attributes are filled in."""
    wanted = '{"by": "<aws.scheduler.schedule-arn>"}'
    event = generated(capsys, "schedule", "--name", "nightly", "--input", wanted)
    assert event == {"by": "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly"}


def test_a_response_of_cloudfront_is_there_once_there_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    edge = generated(capsys, "lambda-edge", "--type", "origin-response", "--status", "404")
    assert edge["Records"][0]["cf"]["response"]["statusDescription"] == "Not Found"
    assert "origin" in edge["Records"][0]["cf"]["request"]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["snss"], "did you mean 'sns'?"),
        (["cognito", "--trigger", "pre-signup"], "did you mean 'pre-sign-up'?"),
        (["sqs", "--bdy", "x"], "Did you mean '--body'?"),
        (["eventbridge", "--detail", "{"], "--detail: JSON is expected"),
        (["dynamodb", "--item", "[]"], "--item: a JSON object is expected"),
        (["lambda-edge", "--type", "viewer-response", "--status", "999"], "--status: 999 came"),
        (["schedule", "--input", "x" * 262_145], "spec.input"),
        (["schedule", "--input", "x"], "--input: JSON is expected"),
        (["sqs", "--count", "-1"], "-1 is not in the range"),
        (["alb", "--header", "nonsense"], "NAME:VALUE is expected"),
        (["api-gateway-1.0", "--resource", "/x", "--path", "/y"], "'/y' does not fit '/x'"),
    ],
    ids=str,
)
def test_a_mistake_is_usage_and_told_the_near_one(
    arguments: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        entry.main(["generate-event", *arguments])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert (printed.out, wanted in printed.err) == ("", True)


@pytest.mark.parametrize("flag", ["--body", "--account", "--region"])
def test_what_is_no_text_is_a_mistake_of_the_call(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell hands on any bytes, and JSON can hold none that are no UTF-8."""
    with pytest.raises(SystemExit) as caught:
        entry.main(["generate-event", "sqs", flag, os.fsdecode(b"\xff")])
    assert caught.value.code == 2
    assert "text in UTF-8 is expected" in capsys.readouterr().err
