"""Policies of callers: what an access key may do, and nothing else (IAM User Guide, "Policies").

A document of IAM's, without principals: it stands with the key (`Secret`, entry `policy`). Whatever
of one would change nothing here is refused where it is read, so that none seems to protect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from .errors import InvalidResourceError
from .manifest import parse_model
from .policies import fits_action, hold, is_like, listed, parse_conditions, read_document
from .resources import Model
from .resources.policy import Conditions, Texts, check_conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .policies import Verdict

__all__ = ["LARGEST", "IdentityPolicy", "parse_identity_policy"]

LARGEST = 10_240
"""Bytes of a document, as of all that are written into an IAM role."""
_KEYS = frozenset(
    {
        "aws:sourceip", "aws:principalarn", "aws:principalaccount", "aws:resourceaccount",
        "lambda:functionarn", "lambda:functionurlauthtype", "lambda:invokedviafunctionurl",
    }
)  # fmt: skip
"""Condition keys that callers' requests have, in lower case."""
_MEMBERS = {"Sid", "Effect", "Action", "Resource", "Condition"}


def _check(conditions: Conditions) -> Conditions:
    return check_conditions(conditions, _KEYS)


def _check_resources(resources: list[str]) -> list[str]:
    for one in resources:
        if "${" in one:
            raise ValueError(f"policy variables are not supported, {one!r} came")
        if one != "*" and not one.startswith("arn:"):
            raise ValueError(f"{one!r} came, an ARN, which may have wildcards, or * is expected")
    return resources


def _check_actions(actions: list[str]) -> list[str]:
    for one in actions:
        if one != "*" and ":" not in one:
            raise ValueError(f"{one!r} came, service:action such as lambda:InvokeFunction or *")
    return actions


class IdentityStatement(Model):
    """One statement."""

    effect: Literal["Allow", "Deny"]
    actions: Annotated[Texts, AfterValidator(_check_actions)]
    resources: Annotated[Texts, AfterValidator(_check_resources)]
    conditions: Annotated[Conditions, AfterValidator(_check)] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """All statements about one caller."""

    statements: tuple[IdentityStatement, ...] = field(repr=False)
    problem: str = ""
    """Why its document could not be read, so that it allows nothing; empty where it could."""

    def decide(self, action: str, names: Iterable[str], context: Mapping[str, str]) -> Verdict:
        """Say whether the caller may do something with a resource, which may have several names."""
        effects = {
            one.effect
            for one in self.statements
            if fits_action(one.actions, action)
            and any(is_like(name, pattern) for name in names for pattern in one.resources)
            and hold(one.conditions, context)
        }
        return "Deny" if "Deny" in effects else "Allow" if effects else None


def parse_identity_policy(text: str) -> IdentityPolicy:
    """Read IAM's JSON; raises InvalidResourceError that says what came and what is expected."""
    if len(text.encode()) > LARGEST:
        raise InvalidResourceError(f"A key's policy has at most {LARGEST} bytes.")
    return IdentityPolicy(
        tuple(_parse(one, number) for number, one in enumerate(read_document(text), 1))
    )


def _parse(given: Any, number: int) -> IdentityStatement:
    if not isinstance(given, dict):
        raise InvalidResourceError(f"Statement {number} is no object.")
    if unknown := sorted(given.keys() - _MEMBERS):
        raise InvalidResourceError(
            f"Statement {number}: {', '.join(unknown)} came, a key's policy has "
            f"{', '.join(sorted(_MEMBERS))}."
        )
    statement = {
        "effect": given.get("Effect"),
        "actions": listed(given.get("Action")),
        "resources": listed(given.get("Resource")),
        "conditions": parse_conditions(given.get("Condition", {})),
    }
    return parse_model(IdentityStatement, statement, path=f"Statement {number}")
