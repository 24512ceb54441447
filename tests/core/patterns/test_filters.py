"""Filters of event source mappings: Lambda's limits, and its table of a body's forms."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pilotlight.patterns import DYNAMODB, KAFKA, KINESIS, MQ, SQS, PatternError, compile_filters


def encoded(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def accepts(pattern: Any, body: str) -> bool:
    filters = compile_filters([json.dumps(pattern)], SQS)
    return filters.accepts({"messageId": "1", "body": body, "attributes": {"SenderId": "me"}})


@pytest.mark.parametrize(
    ("pattern", "body", "wanted"),
    [
        ({"body": ["hello"]}, "hello", True),
        ({"body": ["hello"]}, "other", False),
        ({"body": [{"anything-but": "x"}]}, '{"a": 1}', False),
        ({"body": [{"anything-but": "x"}]}, '["a"]', False),
        ({"body": {"a": [1]}}, '{"a": 1}', True),
        ({"body": {"a": [{"exists": False}]}}, "hello", False),
        ({"body": {"a": [{"exists": False}]}}, "{}", True),
        ({"body": ["17"]}, "17", True),
        ({"attributes": {"SenderId": ["me"]}}, "hello", True),
        ({"attributes": {"SenderId": ["me"]}}, "{}", True),
        ({"attributes": {"SenderId": ["you"]}}, "{}", False),
        ({"attributes": {"SenderId": ["me"]}, "body": {"a": [1]}}, '{"a": 2}', False),
        ({"$or": [{"body": ["hello"]}, {"body": {"a": [1]}}]}, "hello", True),
        ({"$or": [{"body": ["hello"]}, {"body": {"a": [1]}}]}, '{"a": 1}', True),
    ],
)
def test_a_body_of_the_form_that_was_not_asked_for_is_dropped(
    pattern: Any, body: str, *, wanted: bool
) -> None:
    """Developer Guide, "Properly filtering Amazon SQS messages"."""
    assert accepts(pattern, body) is wanted


def test_what_streams_and_brokers_encode_is_decoded() -> None:
    """Kinesis' data and partition key, Kafka's key and value, MQ's data."""
    asked = '{"data": {"City": ["Seattle"]}, "partitionKey": ["1"]}'
    kinesis = compile_filters([asked], KINESIS)
    record = {"partitionKey": "1", "data": encoded('{"City": "Seattle"}')}
    assert kinesis.accepts({"eventID": "1", "kinesis": record})
    assert not kinesis.accepts({"eventID": "1", "kinesis": record | {"partitionKey": "2"}})
    kafka = compile_filters(['{"key": ["k"], "value": {"a": [{"numeric": [">", 1]}]}}'], KAFKA)
    assert kafka.accepts({"key": encoded("k"), "value": encoded('{"a": 2}')})
    assert not kafka.accepts({"key": encoded("l"), "value": encoded('{"a": 2}')})
    mq = compile_filters(['{"data": [{"prefix": "Result: "}]}'], MQ)
    assert mq.accepts({"data": encoded("Result: 1")})
    assert not mq.accepts({"data": encoded(b"Result: \xff")})


def test_a_record_of_dynamodb_is_filtered_as_it_is() -> None:
    filters = compile_filters(['{"dynamodb": {"NewImage": {"n": {"N": ["5"]}}}}'], DYNAMODB)
    assert filters.accepts({"dynamodb": {"NewImage": {"n": {"N": "5"}}}})
    assert not filters.accepts({"dynamodb": {"NewImage": {"n": {"N": "6"}}}})


def test_one_filter_of_several_is_enough_and_none_accept_all() -> None:
    either = compile_filters(['{"body": ["a"]}', '{"body": {"x": [1]}}'], SQS)
    assert either.accepts({"body": "a"})
    assert either.accepts({"body": '{"x": 1}'})
    assert not either.accepts({"body": "b"})
    assert compile_filters([], SQS).accepts({"body": "b"})


def test_what_lambda_refuses_is_refused_with_its_place() -> None:
    with pytest.raises(
        PatternError, match=r"Invalid filter pattern definition\. Filters\[1\].*a\[0\]"
    ):
        compile_filters(['{"a": [1]}', '{"a": [{"prefx": 1}]}'], SQS)
    with pytest.raises(PatternError, match="4107 bytes came, at most 4096"):
        compile_filters([json.dumps({"a": ["x" * 4096]})], SQS)
    with pytest.raises(PatternError, match="11 filters came, at most 10"):
        compile_filters(['{"a": [1]}'] * 11, SQS)


def test_a_record_that_takes_too_long_to_judge_is_not_lost() -> None:
    """The function gets it: whatever is not wanted would be deleted."""
    pattern = json.dumps({"body": {"a": [{"prefix": str(at)} for at in range(150)]}})
    filters = compile_filters([pattern], SQS)
    assert filters.accepts({"body": json.dumps({"a": ["x"] * 50_000})})
    assert not filters.accepts({"body": json.dumps({"a": ["x"] * 500})})
