"""Statements of resource policies: who else may do what with a function, a version or an alias.

In manifests as in IAM's documents, but with lists throughout. The statement's resource is whatever
holds it. `pilotlight.policies` reads and writes IAM's JSON, and judges.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .meta import Model

__all__ = ["CONDITION_KEYS", "OPERATORS", "PolicyStatement"]

OPERATORS = frozenset(
    {
        "StringEquals", "StringNotEquals", "StringLike", "StringNotLike",
        "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike",
        "IpAddress", "NotIpAddress", "Bool", "Null",
    }
)  # fmt: skip
"""Of conditions; each may end with IfExists, but for Null."""
CONDITION_KEYS = frozenset(
    {
        "aws:sourcearn", "aws:sourceaccount", "aws:sourceip", "aws:principalarn",
        "aws:principalaccount", "lambda:functionurlauthtype", "lambda:invokedviafunctionurl",
        "lambda:eventsourcetoken",
    }
)  # fmt: skip
"""That requests have, in lower case, as IAM compares them."""

Text = Annotated[str, Field(min_length=1, max_length=2048)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=50)]


def _check_operators(conditions: dict[str, dict[str, Texts]]) -> dict[str, dict[str, Texts]]:
    for operator, keys in conditions.items():
        if operator.removesuffix("IfExists") not in OPERATORS or operator == "NullIfExists":
            wanted = ", ".join(sorted(OPERATORS))
            raise ValueError(f"condition operator {operator!r} came, one of {wanted} is expected")
        for key in keys:
            if key.lower() not in CONDITION_KEYS:
                wanted = ", ".join(sorted(CONDITION_KEYS))
                raise ValueError(f"condition key {key!r} came, one of {wanted} is expected")
    return conditions


class PolicyStatement(Model):
    """One statement."""

    sid: str = Field(
        pattern=r"^[a-zA-Z0-9-_]{1,100}$", description="Name of the statement within its policy."
    )
    effect: Literal["Allow", "Deny"] = Field(
        default="Allow", description="A statement that denies goes before all that allow."
    )
    principals: dict[Literal["AWS", "Service"], Texts] = Field(
        description="AWS: account ids, ARNs or *; Service: names such as s3.amazonaws.com."
    )
    actions: Texts = Field(description="Such as lambda:InvokeFunction; * stands for anything.")
    conditions: Annotated[dict[str, dict[str, Texts]], AfterValidator(_check_operators)] = Field(
        default_factory=dict, description="Operators, keys and values, of which one must fit."
    )
