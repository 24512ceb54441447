"""What an access key may do: IAM's documents, and what of them is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pilotlight.errors import InvalidResourceError
from pilotlight.identity_policies import LARGEST, parse_identity_policy

HELLO = "arn:aws:lambda:us-east-1:111122223333:function:hello"
INVOKE = "lambda:InvokeFunction"
ALLOW = {"Effect": "Allow", "Action": INVOKE, "Resource": HELLO}


def decided(*statements: dict[str, Any], action: str = INVOKE, **context: str) -> str | None:
    """Say what statements decide about one function, by both of its names."""
    policy = parse_identity_policy(json.dumps({"Statement": list(statements)}))
    return policy.decide(action, (f"{HELLO}:$LATEST", HELLO), context)


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        ({}, "Allow"),
        ({"Resource": "*"}, "Allow"),
        ({"Resource": f"{HELLO}*"}, "Allow"),
        ({"Resource": ["arn:aws:s3:::a", "arn:aws:lambda:*:*:function:h?llo"]}, "Allow"),
        ({"Resource": f"{HELLO}:live"}, None),
        ({"Resource": "arn:aws:lambda:*:444455556666:function:*"}, None),
        ({"Action": "lambda:Invoke*"}, "Allow"),
        ({"Action": ["logs:*", "LAMBDA:invokefunction"]}, "Allow"),
        ({"Action": "lambda:GetFunction"}, None),
        ({"Action": "*", "Effect": "Deny"}, "Deny"),
        ({"Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": True}}}, None),
    ],
)
def test_a_statement_fits_by_action_resource_and_condition(
    members: dict[str, Any], verdict: str | None
) -> None:
    assert decided(ALLOW | members) == verdict


def test_one_that_denies_goes_before_all_that_allow() -> None:
    denies: dict[str, Any] = {"Effect": "Deny", "Action": "lambda:*", "Resource": HELLO}
    assert decided(ALLOW, denies) == "Deny"
    condition = {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    denies["Condition"] = condition
    assert decided(ALLOW, denies, **{"aws:sourceip": "10.1.2.3"}) == "Allow"
    assert decided(ALLOW, denies, **{"aws:sourceip": "::ffff:10.1.2.3"}) == "Allow"
    assert decided(ALLOW, denies, **{"aws:sourceip": "192.0.2.1"}) == "Deny"
    assert decided(ALLOW, denies) == "Deny"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("x", "no object"),
        (ALLOW | {"NotAction": "x"}, "NotAction came"),
        (ALLOW | {"NotResource": "x"}, "NotResource came"),
        (ALLOW | {"Principal": "*"}, "Principal came"),
        (ALLOW | {"Effect": "allow"}, "effect"),
        ({"Effect": "Allow", "Action": INVOKE}, "resources"),
        ({"Effect": "Allow", "Resource": "*"}, "actions"),
        (ALLOW | {"Action": "InvokeFunction"}, "'InvokeFunction' came"),
        (ALLOW | {"Resource": "hello"}, "'hello' came, an ARN"),
        (ALLOW | {"Resource": HELLO + "${aws:username}"}, "policy variables"),
        (ALLOW | {"Condition": {"DateLessThan": {"aws:SourceIp": "1"}}}, "'DateLessThan' came"),
        (ALLOW | {"Condition": {"StringEquals": {"aws:Odd": "1"}}}, "'aws:Odd' came"),
        (ALLOW | {"Condition": {"StringEquals": {"aws:SourceArn": "1"}}}, "'aws:SourceArn' came"),
        (ALLOW | {"Condition": {"StringLike": {"aws:PrincipalArn": "${x}"}}}, "policy variables"),
        (ALLOW | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}}, "IpAddress"),
        (ALLOW | {"Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "yes"}}}, "true or false"),
    ],
)
def test_what_would_protect_nothing_is_refused(statement: Any, says: str) -> None:
    """No operator, key or member is read past: who wrote it would think that it holds."""
    with pytest.raises(InvalidResourceError, match="Statement 1") as refused:
        parse_identity_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    assert says in str(refused.value)


def test_a_document_is_bounded_and_json() -> None:
    for text in ("{", json.dumps({"Statement": ALLOW, "Id": "a" * LARGEST}), '{"Statement": []}'):
        with pytest.raises(InvalidResourceError, match="policy"):
            parse_identity_policy(text)
