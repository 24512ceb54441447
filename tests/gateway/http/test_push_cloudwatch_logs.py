"""A batch of log events, however it is packed, as the event that Lambda gets of CloudWatch Logs."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.data_classes import CloudWatchLogsEvent

from tests.support.gateway import ACCOUNT
from tests.support.platform import run_cli

from .test_push import pushed, refused

if TYPE_CHECKING:
    from pilotlight_gateway.http.push import Pushed

BATCH: dict[str, Any] = {
    "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/shop/web",
    "logStream": "web-1", "subscriptionFilters": ["errors"],
    "logEvents": [{"id": "1", "timestamp": 1_795_872_000_000, "message": "[ERROR] ü"},
                  {"id": "2", "timestamp": 1_795_872_000_001, "message": "again"}],
}  # fmt: skip


def lambdas(document: Any) -> dict[str, Any]:
    packed = gzip.compress(json.dumps(document).encode())
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


def read(one: Pushed) -> dict[str, Any]:
    decoded: dict[str, Any] = CloudWatchLogsEvent(one.event).parse_logs_data().raw_event
    return decoded


async def test_a_batch_is_lambdas_event_however_it_came() -> None:
    """As JSON, in gzip, and as the event itself; what is sent again has the same key."""
    packed = gzip.compress(json.dumps(BATCH).encode())
    found = [
        *await pushed("cloudwatch-logs", BATCH),
        *await pushed("cloudwatch-logs", packed, content_encoding="gzip"),
        *await pushed("cloudwatch-logs", lambdas(BATCH)),
    ]
    assert [read(one) for one in found] == [BATCH] * 3
    assert len({one.dedup_key for one in found}) == 1
    later = BATCH | {"logEvents": [BATCH["logEvents"][0] | {"id": "3"}]}
    assert (await pushed("cloudwatch-logs", later))[0].dedup_key != found[0].dedup_key


async def test_what_a_shipper_leaves_out_is_added() -> None:
    """An owner and filters; what has no ids is not told from what comes again."""
    short = {name: BATCH[name] for name in ("messageType", "logGroup", "logStream")}
    (one,) = await pushed(
        "cloudwatch-logs", short | {"logEvents": [{"timestamp": 1, "message": ""}]}
    )
    assert (read(one)["owner"], read(one)["subscriptionFilters"]) == (ACCOUNT, [])
    assert one.dedup_key == ""


async def test_the_sample_is_taken() -> None:
    made = json.loads(run_cli("generate-event", "cloudwatch-logs").stdout)
    (one,) = await pushed("cloudwatch-logs", made)
    assert read(one)["logGroup"] == "/aws/lambda/my-function"


async def test_a_control_message_is_no_event() -> None:
    control = BATCH | {"messageType": "CONTROL_MESSAGE", "logGroup": "", "logStream": ""}
    assert await pushed("cloudwatch-logs", lambdas(control)) == []


@pytest.mark.parametrize(
    "body",
    [b"nonsense", [], {}, {"awslogs": {}}, {"awslogs": {"data": "§"}}, {"awslogs": []},
     {"awslogs": {"data": base64.b64encode(b"no gzip").decode()}}, lambdas([]),
     BATCH | {"logEvents": {}}, BATCH | {"logEvents": ["text"]}, BATCH | {"logGroup": 1},
     BATCH | {"logEvents": [{"timestamp": "now", "message": ""}]},
     BATCH | {"logEvents": [{"timestamp": 1, "message": "", "id": []}]},
     BATCH | {"messageType": "OTHER"},
     {"awslogs": {"data": base64.b64encode(gzip.compress(b"[" * 100_000)).decode()}}],
)  # fmt: skip
async def test_what_is_no_batch_is_refused(body: Any) -> None:
    error = await refused("cloudwatch-logs", body)
    assert error.status == 400
    assert "logEvents" in (error.detail or "")


async def test_a_bomb_is_given_up() -> None:
    """Before more is unpacked than a batch may have; half a stream is none."""
    bomb = gzip.compress(b"0" * (64 << 20))
    assert (await refused("cloudwatch-logs", bomb, content_encoding="gzip")).status == 413
    half = gzip.compress(json.dumps(BATCH).encode())[:-4]
    assert (await refused("cloudwatch-logs", half, content_encoding="gzip")).status == 400
