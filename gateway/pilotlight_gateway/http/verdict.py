"""What an authorizer function answered, judged for a request; `authorizer` asks and keeps. Pure.

API Gateway Developer Guide, "Lambda authorizers for HTTP APIs" and "Output from an API Gateway
Lambda authorizer": the simple answer `{"isAuthorized": …, "context": …}` is a yes or no, a policy
document says for each request whether it may pass. What cannot be judged here is malformed, so
that nobody passes by a condition that nobody looked at.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, Literal, Protocol

__all__ = ["Verdict", "parse_verdict"]

_ACTION = "execute-api:invoke"
_STATEMENT = frozenset({"Sid", "Effect", "Action", "Resource"})


class Verdict(Protocol):
    """An authorizer's answer about one identity."""

    @property
    def context(self) -> dict[str, object]:
        """What the function is told of the caller."""
        ...

    def allows(self, arn: str) -> bool:
        """Whether a request may pass; `arn` is execute-api's, with its method and path."""
        ...


@dataclass(frozen=True, slots=True)
class _Simple:
    context: dict[str, object]
    authorized: bool

    def allows(self, arn: str) -> bool:
        del arn  # it was asked about this route
        return self.authorized


@dataclass(frozen=True, slots=True)
class _Statement:
    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def concerns(self, arn: str) -> bool:
        acts = any(_fits(_ACTION, one.lower()) for one in self.actions)
        return acts and any(_fits(arn, one) for one in self.resources)


@dataclass(frozen=True, slots=True)
class _Policy:
    context: dict[str, object]
    statements: tuple[_Statement, ...]

    def allows(self, arn: str) -> bool:
        """Whether a statement allows the request and none denies it."""
        effects = {one.effect for one in self.statements if one.concerns(arn)}
        return effects == {"Allow"}


def parse_verdict(answer: Any) -> Verdict:
    """Read an authorizer's answer; raises ValueError where it is malformed."""
    if not isinstance(answer, dict):
        raise ValueError("an authorizer answers an object")  # noqa: TRY004  bad content, not a bug
    context = answer.get("context") or {}
    if not isinstance(context, dict):
        raise ValueError("context is an object")  # noqa: TRY004  the same
    if "isAuthorized" in answer:
        return _Simple(context, answer["isAuthorized"] is True)
    policy = answer.get("policyDocument")
    if not isinstance(policy, dict):
        raise ValueError("neither isAuthorized nor a policy came")  # noqa: TRY004  the same
    principal = {"principalId": answer.get("principalId")}
    return _Policy(principal | context, _statements(policy.get("Statement")))


def _statements(value: object) -> tuple[_Statement, ...]:
    listed = [value] if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise ValueError("a policy has statements")  # noqa: TRY004  the same
    return tuple(_statement(one) for one in listed)


def _statement(value: object) -> _Statement:
    if not isinstance(value, dict) or not value.keys() <= _STATEMENT:
        raise ValueError("a statement has an effect, actions and resources, and nothing else")
    effect = value.get("Effect")
    if effect not in {"Allow", "Deny"}:
        raise ValueError("a statement's effect is Allow or Deny")
    return _Statement(effect, _texts(value.get("Action")), _texts(value.get("Resource")))


def _texts(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in texts):
        raise ValueError("actions and resources are texts")
    return tuple(texts)


def _fits(text: str, pattern: str) -> bool:
    """Whether a text fits an IAM pattern, in which `*` and `?` alone are wildcards."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
