"""CloudWatch Logs through boto3, over what functions really log."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pilotlight.storage import LogLine
from pilotlight_gateway.apis.logs import live_tail
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = """
def handler(event, context):
    for line in event.get("lines", []):
        print(line)
    return context.log_stream_name
"""
GROUP = "/aws/lambda/talking"
KEEPING = """
import json

def handler(event, context):
    with open(event_file, "a") as file:
        file.write(json.dumps(event) + "\\n")
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    harness = GatewayHarness(tmp_path_factory.mktemp("pods"))
    harness.create("talking", SOURCE)
    yield harness
    harness.close()


@pytest.fixture
def logs(platform: GatewayHarness) -> Any:
    return boto3.client(
        "logs",
        endpoint_url=platform.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )


def say(platform: GatewayHarness, *lines: str, function: str = "talking") -> str:
    """Have a function print lines; gives its stream once they are stored."""
    answer = platform.client().invoke(FunctionName=function, Payload=json.dumps({"lines": lines}))
    stream: str = json.load(answer["Payload"])
    deadline = time.monotonic() + 10
    while not {one.message for one in platform.logs.lines} >= set(lines):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return stream


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    """Return the code and the text of an error."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_what_a_function_printed_is_found_by_a_pattern(platform: GatewayHarness, logs: Any) -> None:
    stream = say(platform, "first ERROR here", "all is well", '{"level": "ERROR", "ms": 7}')
    found = logs.filter_log_events(logGroupName=GROUP, filterPattern="ERROR -level")["events"]
    assert [one["message"] for one in found] == ["first ERROR here"]
    assert found[0]["logStreamName"] == stream
    assert len(found[0]["eventId"]) == 56
    by_json = logs.filter_log_events(logGroupName=GROUP, filterPattern="{ $.ms < 10 }")["events"]
    assert [json.loads(one["message"])["ms"] for one in by_json] == [7]


def test_pages_of_events_hold_everything_once(platform: GatewayHarness, logs: Any) -> None:
    stream = say(platform, *(f"paged {number:03d}" for number in range(25)))
    wanted = [f"paged {number:03d}" for number in range(25)]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP,
        logStreamNames=[stream],
        filterPattern="paged",
        PaginationConfig={"PageSize": 4},
    )
    assert [one["message"] for page in pages for one in page["events"]] == wanted


def test_a_stream_is_read_in_both_directions(platform: GatewayHarness, logs: Any) -> None:
    stream = say(platform, *(f"step {number}" for number in range(10)))
    of = {"logGroupName": GROUP, "logStreamName": stream}
    head = logs.get_log_events(**of, startFromHead=True, limit=3)
    rest = logs.get_log_events(**of, nextToken=head["nextForwardToken"])
    back = logs.get_log_events(**of, nextToken=rest["nextBackwardToken"], limit=3)
    assert back["events"] == head["events"]
    end = logs.get_log_events(**of, nextToken=rest["nextForwardToken"])
    assert end["events"] == []
    assert end["nextForwardToken"] == rest["nextForwardToken"]  # so a reader knows that it is done
    last = logs.get_log_events(**of, limit=2)["events"]
    assert last == rest["events"][-2:]
    messages = [one["message"] for one in head["events"] + rest["events"]]
    assert messages[0].startswith("INIT_START") or messages[0].startswith("START")
    assert messages[-1].startswith("REPORT")


def test_streams_are_described_by_name_and_by_time(platform: GatewayHarness, logs: Any) -> None:
    stream = say(platform, "described")
    streams = logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True
    )["logStreams"]
    assert streams[0]["logStreamName"] == stream
    assert streams[0]["firstEventTimestamp"] <= streams[0]["lastEventTimestamp"]
    by_name = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream[:10])
    assert stream in {one["logStreamName"] for one in by_name["logStreams"]}


def test_a_stream_is_deleted(platform: GatewayHarness, logs: Any) -> None:
    """It is gone with its lines; one that is not there is said so."""
    of = {"logGroupName": GROUP, "logStreamName": say(platform, "deleted soon")}
    logs.delete_log_stream(**of)
    assert logs.filter_log_events(logGroupName=GROUP, filterPattern="soon")["events"] == []
    code, text = refused(logs.delete_log_stream, **of | {"logStreamName": "absent"})
    assert (code, text) == (
        "ResourceNotFoundException", "The specified log stream does not exist.",
    )  # fmt: skip


@pytest.mark.usefixtures("platform")
def test_groups_are_those_of_functions_and_those_made(logs: Any) -> None:
    logs.create_log_group(logGroupName="/own/group", tags={"team": "a"})
    names = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    assert {GROUP, "/own/group"} <= set(names)
    assert names == sorted(names)
    code, text = refused(logs.create_log_group, logGroupName="/own/group")
    assert (code, text) == (
        "ResourceAlreadyExistsException", "The specified log group already exists",
    )  # fmt: skip
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/own/group"
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/own")["logGroups"]
    assert (group["arn"], group["logGroupArn"]) == (f"{arn}:*", arn)
    logs.tag_resource(resourceArn=arn, tags={"more": "b"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"more": "b"}
    logs.delete_log_group(logGroupName="/own/group")
    code, text = refused(logs.filter_log_events, logGroupName="/own/group")
    assert (code, text) == (
        "ResourceNotFoundException", "The specified log group does not exist.",
    )  # fmt: skip


def test_a_group_that_several_functions_share_is_one_sequence(
    platform: GatewayHarness, logs: Any
) -> None:
    for name in ("sharing-a", "sharing-b"):
        platform.create(name, SOURCE)
        client = platform.client()
        client.update_function_configuration(
            FunctionName=name, LoggingConfig={"LogGroup": "/shared"}
        )
        wait_for(client, "function_updated_v2", FunctionName=name)
    for number in range(6):
        say(platform, f"shared {number}", function=f"sharing-{'ab'[number % 2]}")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/shared", filterPattern="shared", PaginationConfig={"PageSize": 2}
    )
    messages = [one["message"] for page in pages for one in page["events"]]
    assert messages == [f"shared {number}" for number in range(6)]


def test_old_lines_go_as_the_group_wants(platform: GatewayHarness, logs: Any) -> None:
    say(platform, "young")
    days_ago = time.time() - 4 * 86_400
    old = LogLine(days_ago, "default", "talking", "old stream", "id", "old line")
    platform.call(platform.logs.append([old]))
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    assert (
        logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["retentionInDays"] == 3
    )
    platform.call(platform.gateway._retention.look())
    messages = {one.message for one in platform.logs.lines}
    assert "old line" not in messages
    assert "young" in messages
    logs.delete_retention_policy(logGroupName=GROUP)
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    code, text = refused(logs.put_retention_policy, logGroupName=GROUP, retentionInDays=2)
    assert code == "InvalidParameterException"
    assert "Value '2' at 'retentionInDays'" in text


def test_a_subscribed_function_gets_lines_as_aws_packs_them(
    platform: GatewayHarness, logs: Any, tmp_path: Any
) -> None:
    ledger = tmp_path / "ledger"
    platform.create("keeping", f"event_file = {str(ledger)!r}\n{KEEPING}")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:keeping"
    given = {"logGroupName": GROUP, "filterName": "errors", "filterPattern": "FATAL"}
    logs.put_subscription_filter(**given, destinationArn=arn)
    (described,) = logs.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"]
    assert (described["destinationArn"], described["filterPattern"]) == (arn, "FATAL")
    stream = say(platform, "nothing much", "a FATAL end")
    deadline = time.monotonic() + 15
    while not ledger.exists() or not ledger.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    event = json.loads(ledger.read_text().splitlines()[0])
    sent = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    assert sent | {"logEvents": []} == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": GROUP,
        "logStream": stream,
        "subscriptionFilters": ["errors"],
        "logEvents": [],
    }
    assert [one["message"] for one in sent["logEvents"]] == ["a FATAL end"]
    assert sent["logEvents"][0].keys() == {"id", "timestamp", "message"}
    logs.delete_subscription_filter(logGroupName=GROUP, filterName="errors")
    assert logs.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"] == []


def test_a_live_tail_shows_what_comes(
    platform: GatewayHarness, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_tail, "UPDATE_SECONDS", 0.05)
    say(platform, "before")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
    answer = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="live")
    stream = iter(answer["responseStream"])
    start = next(stream)["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn]
    say(platform, "live one", "not this", "live two")
    seen: list[str] = []
    while len(seen) < 2:
        update = next(stream)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        seen += [one["message"] for one in update["sessionResults"]]
    assert seen == ["live one", "live two"]
    answer["responseStream"].close()


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "says"),
    [
        ("filter_log_events", {"logGroupName": "bad name"}, "InvalidParameterException",
         "Value 'bad name' at 'logGroupName' failed to satisfy constraint"),
        ("filter_log_events", {"logGroupName": GROUP, "filterPattern": "{ $.a"},
         "InvalidParameterException", "Invalid filter pattern"),
        ("filter_log_events", {"logGroupName": GROUP, "nextToken": "x"},
         "InvalidParameterException", "The specified nextToken is invalid."),
        ("filter_log_events", {}, "InvalidParameterException", "logGroupIdentifier is expected"),
        ("filter_log_events", {"logGroupName": GROUP, "unmask": True}, "NotImplementedException",
         "unmask is not supported"),
        ("get_log_events", {"logGroupName": GROUP, "logStreamName": "none"},
         "ResourceNotFoundException", "The specified log stream does not exist."),
        ("put_subscription_filter",
         {"logGroupName": GROUP, "filterName": "a", "filterPattern": "", "destinationArn":
          f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:talking"},
         "InvalidParameterException", "for ever"),
        ("put_subscription_filter",
         {"logGroupName": GROUP, "filterName": "a", "filterPattern": "", "destinationArn":
          f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"},
         "InvalidParameterException", "other destinations are not supported"),
        ("create_log_group", {"logGroupName": "/x", "kmsKeyId": "arn:aws:kms:k"},
         "NotImplementedException", "kmsKeyId is not supported"),
        ("start_query",
         {"logGroupName": GROUP, "startTime": 1, "endTime": 2, "queryString": "x"},
         "NotImplementedException", "StartQuery of CloudWatch Logs is not supported"),
        ("list_tags_for_resource",
         {"resourceArn": f"arn:aws:logs:{REGION}:999999999999:log-group:x"},
         "InvalidParameterException", "no log group of this account"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_as_cloudwatch_logs_does(
    logs: Any, operation: str, arguments: dict[str, Any], code: str, says: str
) -> None:
    said, text = refused(getattr(logs, operation), **arguments)
    assert said == code
    assert says in text
