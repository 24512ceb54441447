"""What a function may reach: declared egress, and Lambda's VpcConfig in a manifest's words.

A function without it reaches what the chart lets all functions reach. One that has it reaches what
stands here and nothing else, within what an admin lets its account open (`pilotlight.walls`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from .meta import Model, cel

__all__ = ["MOST_SECURITY_GROUPS", "MOST_SUBNETS", "Egress", "Network", "Port"]

MOST_SECURITY_GROUPS = 5
MOST_SUBNETS = 16
MOST_RULES = 32
_SecurityGroupId = Annotated[str, Field(pattern=r"^sg-[0-9a-zA-Z]{1,60}$", max_length=63)]
_SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-z]{1,56}$", max_length=63)]
_LabelValue = Annotated[
    str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]
_CIDR = r"^([0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}|[0-9a-fA-F:]+(:[0-9.]+)?/[0-9]{1,3})$"
_LABEL = "^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_KEY_SAID = "keys of podLabels must be labels' names"


class Port(Model):
    """A port, or all from one to another."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.endPort) || self.endPort >= self.port", "endPort is below port")
        )
    )

    port: int = Field(ge=1, le=65_535, description="The port, or the first of several.")
    end_port: int | None = Field(default=None, ge=1, le=65_535, description="The last of several.")
    protocol: Literal["TCP", "UDP"] = Field(default="TCP", description="TCP or UDP.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_port is not None and self.end_port < self.port:
            raise ValueError("endPort is below port")
        return self


class Egress(Model):
    """Somewhere that a function may connect to: a range of addresses, or pods by their labels."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.cidr) != (has(self.namespace) || has(self.podLabels))",
                "either cidr or pods (namespace, podLabels) are expected",
            ),
        )
    )

    cidr: str | None = Field(
        default=None,
        max_length=49,
        pattern=_CIDR,
        description="A range of addresses, such as 203.0.113.0/24.",
    )
    namespace: str | None = Field(
        default=None,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Where the pods are; the function's own if absent.",
    )
    pod_labels: dict[str, _LabelValue] | None = Field(
        default=None,
        description="Labels that the pods have; all pods of the namespace if absent.",
        json_schema_extra={"maxProperties": 16}
        | cel((f"self.all(key, key.size() <= 317 && key.matches('{_LABEL}'))", _KEY_SAID)),
    )
    ports: list[Port] = Field(
        default_factory=list, max_length=16, description="Which ports; all if there are none."
    )

    @model_validator(mode="after")
    def _one_peer(self) -> Self:
        if (self.cidr is None) == (self.namespace is None and self.pod_labels is None):
            raise ValueError("either cidr or pods (namespace, podLabels) are expected")
        if not all(re.fullmatch(_LABEL, key) for key in self.pod_labels or ()):
            raise ValueError(_KEY_SAID)
        return self


class Network(Model):
    """All that a function may connect to, beside names' servers and the platform itself."""

    public: bool = Field(default=False, description="Whether that is the public internet, too.")
    egress: list[Egress] = Field(
        default_factory=list, max_length=MOST_RULES, description="What it is beside that."
    )
    subnet_ids: list[_SubnetId] = Field(
        default_factory=list,
        max_length=MOST_SUBNETS,
        description="Lambda's VpcConfig: subnets of the chart, whose zones the pods run in.",
    )
    security_group_ids: list[_SecurityGroupId] = Field(
        default_factory=list,
        max_length=MOST_SECURITY_GROUPS,
        description="Lambda's VpcConfig: the NetworkPolicies that are labelled with these.",
    )
