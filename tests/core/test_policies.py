"""Policies: what statements decide, and IAM's JSON read and written."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from pilotlight.errors import InvalidResourceError
from pilotlight.policies import PolicyRequest, decide, parse_document, render_document
from pilotlight.resources import PolicyStatement

ARN = "arn:aws:lambda:us-east-1:111122223333:function:hello"
OTHER = "444455556666"
ARN_KEY, VIA_URL = "aws:SourceArn", "lambda:InvokedViaFunctionUrl"
USER = f"arn:aws:iam::{OTHER}:user/ada"


def statement(**given: Any) -> PolicyStatement:
    """Make a statement that allows everybody to invoke, but for what is given."""
    plain = {"sid": "one", "principals": {"AWS": ["*"]}, "actions": ["lambda:InvokeFunction"]}
    return PolicyStatement.model_validate(plain | given)


def asked(action: str = "lambda:InvokeFunction", **context: str) -> PolicyRequest:
    """Make a request of another account's user."""
    return PolicyRequest(action, OTHER, USER, context)


@pytest.mark.parametrize(
    ("principal", "fits"),
    [
        ("*", True), (OTHER, True), (f"arn:aws:iam::{OTHER}:root", True), (USER, True),
        ("111122223333", False), (f"arn:aws:iam::{OTHER}:user/bob", False),
    ],
)  # fmt: skip
def test_principals_are_everybody_accounts_and_callers(principal: str, *, fits: bool) -> None:
    verdict = decide([statement(principals={"AWS": [principal]})], asked())
    assert verdict == ("Allow" if fits else None)


def test_a_service_is_no_caller_with_credentials() -> None:
    assert decide([statement(principals={"Service": ["s3.amazonaws.com"]})], asked()) is None


@pytest.mark.parametrize(
    ("principals", "fits"),
    [
        ({"Service": ["s3.amazonaws.com"]}, True), ({"Service": ["sns.amazonaws.com"]}, False),
        ({"AWS": ["*"]}, True), ({"AWS": [OTHER]}, False),
    ],
)  # fmt: skip
def test_a_service_is_named_or_everybody(principals: dict[str, list[str]], *, fits: bool) -> None:
    request = PolicyRequest("lambda:InvokeFunction", service="s3.amazonaws.com")
    assert decide([statement(principals=principals)], request) == ("Allow" if fits else None)


@pytest.mark.parametrize(
    ("action", "fits"),
    [("lambda:InvokeFunction", True), ("lambda:Invoke*", True), ("lambda:*", True), ("*", True),
     ("LAMBDA:invokefunction", True), ("lambda:GetFunction", False), ("lambda:Invoke", False)],
)  # fmt: skip
def test_actions_have_wildcards_and_no_case(action: str, *, fits: bool) -> None:
    assert decide([statement(actions=[action])], asked()) == ("Allow" if fits else None)


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "context", "fits"),
    [
        ("StringEquals", "AWS:SourceAccount", "1", {"aws:sourceaccount": "1"}, True),
        ("StringEquals", "aws:SourceAccount", "1", {"aws:sourceaccount": "2"}, False),
        ("StringEquals", "aws:SourceAccount", "1", {}, False),
        ("StringEqualsIfExists", "aws:SourceAccount", "1", {}, True),
        ("StringNotEquals", "aws:SourceAccount", "1", {"aws:sourceaccount": "2"}, True),
        ("StringNotEquals", "aws:SourceAccount", "1", {}, True),
        ("StringLike", "aws:SourceAccount", "1?3*", {"aws:sourceaccount": "1234"}, True),
        ("StringNotLike", "aws:SourceAccount", "1*", {"aws:sourceaccount": "1234"}, False),
        ("ArnLike", ARN_KEY, "arn:aws:s3:::a*", {"aws:sourcearn": "arn:aws:s3:::a-b"}, True),
        ("ArnLike", ARN_KEY, "arn:aws:*:a", {"aws:sourcearn": "arn:aws:s3:::a"}, False),
        ("ArnEquals", ARN_KEY, "arn:aws:s3:::a", {"aws:sourcearn": "arn:aws:s3:::b"}, False),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", {"aws:sourceip": "10.1.2.3"}, True),
        ("IpAddress", "aws:SourceIp", "2001:db8::/32", {"aws:sourceip": "10.1.2.3"}, False),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", {"aws:sourceip": "11.1.2.3"}, True),
        ("Bool", VIA_URL, "true", {"lambda:invokedviafunctionurl": "true"}, True),
        ("Bool", VIA_URL, "true", {}, False),
        ("Null", "aws:SourceArn", "true", {}, True),
        ("Null", "aws:SourceArn", "false", {}, False),
    ],
)  # fmt: skip
def test_conditions_hold_as_iam_says(
    operator: str, key: str, wanted: str, context: dict[str, str], *, fits: bool
) -> None:
    policy = [statement(conditions={operator: {key: [wanted]}})]
    assert decide(policy, asked(**context)) == ("Allow" if fits else None)


def test_one_that_denies_goes_before_all_that_allow() -> None:
    denies = statement(sid="two", effect="Deny", principals={"AWS": [OTHER]})
    assert decide([statement(), denies], asked()) == "Deny"
    assert (
        decide([statement(), denies], PolicyRequest("lambda:InvokeFunction", "1", "a")) == "Allow"
    )


def test_a_document_comes_back_as_it_was() -> None:
    document = {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": ARN,
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
                    "StringEquals": {"AWS:SourceAccount": "111122223333"},
                },
            },
            {
                "Sid": "two",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["lambda:InvokeFunction", "lambda:GetFunction"],
                "Resource": ARN,
            },
        ],
    }
    parsed = parse_document(json.dumps(document), ARN)
    assert json.loads(render_document(parsed, ARN)) == document


PLAIN = {"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": ARN}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "no JSON"),
        ("[]", "an object of Version"),
        ('{"Version": "2030-01-01", "Statement": []}', "an object of Version"),
        ({"Statement": []}, "no Statement"),
        ({"Statement": [PLAIN, PLAIN]}, "must be unique"),
        ({"Statement": PLAIN | {"NotAction": "x"}}, "NotAction"),
        ({"Statement": PLAIN | {"Resource": "*"}}, "is expected"),
        ({"Statement": PLAIN | {"Effect": "Maybe"}}, "effect"),
        ({"Statement": PLAIN | {"Principal": {"Federated": "x"}}}, "principals"),
        ({"Statement": PLAIN | {"Condition": {"Odd": {"aws:SourceIp": "1"}}}}, "'Odd' came"),
        ({"Statement": PLAIN | {"Condition": {"Bool": {"aws:Odd": "1"}}}}, "'aws:Odd' came"),
        ({"Statement": PLAIN | {"Condition": "x"}}, "object of objects"),
        ({"Statement": PLAIN | {"Condition": {"NotIpAddress": {"aws:SourceIp": "x"}}}},
         "IpAddress"),
        ({"Statement": PLAIN | {"Condition": {"Null": {"aws:SourceIp": "x"}}}}, "true or false"),
        ({"Statement": PLAIN | {"Condition": {"StringLike": {"aws:PrincipalArn": "${a}"}}}},
         "variables"),
        ({"Statement": ["x"]}, "no object"),
        ({"Other": 1, "Statement": [PLAIN]}, "Other"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused_with_what_was_expected(document: Any, says: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidResourceError, match=says):
        parse_document(text, ARN)


def test_no_pattern_takes_long() -> None:
    policy = [statement(conditions={"StringLike": {"aws:SourceArn": ["*a" * 500 + "b"]}})]
    began = time.process_time()
    decide(policy, asked(**{"aws:sourcearn": "a" * 2000}))
    assert time.process_time() - began < 0.5
