"""What versitygw posts, word for word from a running one (1.8.0), as the event of AWS's S3."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import S3Event

from .test_push import pushed, refused

KEY = "2026/week 48+ü.csv"
CREATED: dict[str, Any] = json.loads("""
{"Records":[{"eventVersion":"2.2","eventSource":"aws:s3","awsRegion":"us-east-1",
"eventTime":"2026-11-28T17:38:07Z","eventName":"s3:ObjectCreated:Put",
"userIdentity":{"PrincipalId":"root"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},
"responseElements":{"x-amz-request-id":"","x-amz-id-2":""},
"s3":{"s3SchemaVersion":"1.0","configurationId":"webhook-global",
"bucket":{"name":"sales","ownerIdentity":{"PrincipalId":"root"},
"arn":"arn:aws:s3:::/sales/2026/week 48+ü.csv"},
"object":{"key":"2026/week 48+ü.csv","size":3,"eTag":"\\"900150983cd24fb0d6963f7d28e17f72\\"",
"versionId":null,"sequencer":"1"}},
"glacierEventData":{"restoreEventData":{"lifecycleRestorationExpiryTime":"",
"lifecycleRestoreStorageClass":""}}}]}
""")
REMOVED = deepcopy(CREATED)
REMOVED["Records"][0] |= {"eventName": "s3:ObjectRemoved:Delete"}
REMOVED["Records"][0]["s3"]["object"] = {
    "key": KEY, "size": 0, "eTag": None, "versionId": None, "sequencer": "2",
}  # fmt: skip
TESTED = {"Bucket": "Test-Bucket", "Event": "s3:TestEvent", "Service": "S3", "Time": "2026-11-28"}


async def test_a_key_is_encoded_as_handlers_expect() -> None:
    """They decode what they get, as AWS's guide says: a plus would become a space."""
    for document, name in ((CREATED, "ObjectCreated:Put"), (REMOVED, "ObjectRemoved:Delete")):
        (one,) = await pushed("s3", document)
        event = S3Event(one.event)
        assert (event.bucket_name, event.object_key) == ("sales", KEY)
        assert event.record.event_name == name


async def test_members_are_aws_own() -> None:
    """Identities, the bucket's ARN and the tag without quotes; nothing of Glacier's."""
    (one,) = await pushed("s3", CREATED)
    (record,) = one.event["Records"]
    assert record["userIdentity"] == {"principalId": "root"}
    assert record["s3"]["bucket"] == {
        "name": "sales", "ownerIdentity": {"principalId": "root"}, "arn": "arn:aws:s3:::sales",
    }  # fmt: skip
    assert record["s3"]["object"] == {
        "key": "2026/week+48%2B%C3%BC.csv", "size": 3, "sequencer": "1",
        "eTag": "900150983cd24fb0d6963f7d28e17f72",
    }  # fmt: skip
    assert "glacierEventData" not in record


async def test_its_test_is_no_event() -> None:
    assert await pushed("s3", TESTED) == []


@pytest.mark.parametrize(
    "stored",
    [{"bucket": {"name": "b"}}, {"bucket": [], "object": {"key": "k"}},
     {"bucket": {"name": 1}, "object": {"key": "k"}}, {"bucket": {"name": "b"}, "object": {}}],
)  # fmt: skip
async def test_a_record_without_bucket_or_key_is_refused(stored: Any) -> None:
    assert (await refused("s3", {"Records": [{"s3": stored}]})).status == 400


async def test_half_of_a_surrogate_pair_is_no_crash() -> None:
    """JSON can say one, UTF-8 cannot."""
    document = deepcopy(CREATED)
    document["Records"][0]["s3"]["object"]["key"] = "\ud800"
    (one,) = await pushed("s3", document)
    assert one.event["Records"][0]["s3"]["object"]["key"] == "%3F"
