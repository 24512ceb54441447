"""Statements of resource policies: who else may do what with a function, a version or an alias.

In manifests as in IAM's documents, but with lists throughout. The statement's resource is whatever
holds it. `pilotlight.policies` reads and writes IAM's JSON, and judges.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .meta import Model

__all__ = [
    "CONDITION_KEYS",
    "OPERATORS",
    "Conditions",
    "PolicyStatement",
    "Texts",
    "check_conditions",
]

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
Conditions = dict[str, dict[str, Texts]]
"""Operators, keys and values, of which one must fit."""


def check_conditions(conditions: Conditions, known: frozenset[str] = CONDITION_KEYS) -> Conditions:
    """Return conditions; raises ValueError where nothing would ever ask one of them."""
    for operator, keys in conditions.items():
        if operator.removesuffix("IfExists") not in OPERATORS or operator == "NullIfExists":
            wanted = ", ".join(sorted(OPERATORS))
            raise ValueError(f"condition operator {operator!r} came, one of {wanted} is expected")
        for key, values in keys.items():
            if key.lower() not in known:
                wanted = ", ".join(sorted(known))
                raise ValueError(f"condition key {key!r} came, one of {wanted} is expected")
            for value in values:
                _check_value(operator.removesuffix("IfExists"), value)
    return conditions


def _check_value(operator: str, value: str) -> None:
    """Raise ValueError for a value that no request could fit, or that would fit every one."""
    if "${" in value:
        raise ValueError(f"policy variables are not supported, {value!r} came")
    if operator in {"Bool", "Null"} and value.lower() not in {"true", "false"}:
        raise ValueError(f"{operator}: {value!r} came, true or false is expected")
    if operator in {"IpAddress", "NotIpAddress"}:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError as error:
            raise ValueError(f"{operator}: {error}, as 10.0.0.0/8 is expected") from error


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
    conditions: Annotated[Conditions, AfterValidator(check_conditions)] = Field(
        default_factory=dict, description="Operators, keys and values, of which one must fit."
    )
