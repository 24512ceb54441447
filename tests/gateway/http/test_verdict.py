"""Authorizers' answers: a policy is judged for each request, what cannot be judged is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight_gateway.http.verdict import parse_verdict

API = "arn:aws:execute-api:us-east-1:000000000000:id/$default"
ARN = f"{API}/GET/a"


def policy(*statements: tuple[str, Any, Any]) -> dict[str, Any]:
    said = [{"Effect": e, "Action": a, "Resource": r} for e, a, r in statements]
    return {"principalId": "p", "policyDocument": {"Statement": said}, "context": {"k": 1}}


@pytest.mark.parametrize(
    ("statements", "passes"),
    [
        ([("Allow", "execute-api:Invoke", ARN)], True),
        ([("Allow", "execute-api:*", "*")], True),
        ([("Allow", ["*"], [ARN])], True),
        ([("Allow", "*", f"{API}/*/?")], True),
        ([("Allow", "s3:GetObject", "*")], False),
        ([("Allow", "*", ARN + "b")], False),
        ([("Allow", "*", f"{API}/GET/[a-z]")], False),
        ([("Allow", "*", "*"), ("Deny", "execute-api:Invoke", ARN)], False),
        ([("Deny", "*", f"{API}/*"), ("Allow", "*", ARN)], False),
        ([], False),
    ],
)
def test_policies(statements: list[tuple[str, Any, Any]], passes: bool) -> None:  # noqa: FBT001  a table
    """An explicit deny goes first, whatever is not allowed is denied; `*` and `?` are wildcards."""
    verdict = parse_verdict(policy(*statements))
    assert verdict.allows(ARN) == passes
    assert verdict.context == {"principalId": "p", "k": 1}


def test_a_policy_says_something_else_of_each_request() -> None:
    """What lets a caller read one path lets nobody delete another."""
    verdict = parse_verdict(policy(("Allow", "execute-api:Invoke", f"{API}/GET/public*")))
    assert verdict.allows(f"{API}/GET/public/a")
    assert not verdict.allows(f"{API}/DELETE/admin")


def test_a_statement_may_stand_alone() -> None:
    """IAM's grammar takes one statement for a list of one."""
    statement = {"Sid": "s", "Effect": "Allow", "Action": "*", "Resource": ARN}
    assert parse_verdict({"policyDocument": {"Statement": statement}}).allows(ARN)


def test_many_wildcards_take_no_time() -> None:
    """A tenant's pattern cannot keep a gateway busy."""
    verdict = parse_verdict(policy(("Allow", "*", "*a" * 100 + "!")))
    assert not verdict.allows("a" * 5_000)


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, {"context": 1, "isAuthorized": True}, {"policyDocument": "x"},
        {"policyDocument": {"Statement": ["x"]}}, {"policyDocument": {"Statement": None}},
        policy(("Maybe", "*", "*")), policy(("Allow", None, "*")), policy(("Allow", "*", [1])),
        {"policyDocument": {"Statement": {
            "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {}}}}},
        {"policyDocument": {"Statement": {"Effect": "Deny", "NotAction": "*", "Resource": "*"}}},
    ],
    ids=str,
)  # fmt: skip
def test_malformed_answers(answer: Any) -> None:
    """What cannot be judged lets nobody pass, and forbids nothing by half."""
    with pytest.raises(ValueError, match=r"is an object|answers an object|neither|statement|texts"):
        parse_verdict(answer)
