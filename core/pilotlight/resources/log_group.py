"""`LogGroup`: what is wanted of the log lines of one or more functions, beside that they are kept.

A group is there as soon as a function logs into it (`/aws/lambda/NAME`, or its logging
configuration's); the resource is made where retention, tags or subscriptions are set, or before the
function. Names and limits: Amazon CloudWatch Logs API reference. Gateways act on it
(`pilotlight_gateway.logs`).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .function import MOST_TAGS
from .meta import AGE, Column, Index, Model, Resource
from .route import FUNCTION_REFERENCE

__all__ = [
    "LOG_GROUPS_BY_NAMESPACE",
    "RETENTION_DAYS",
    "LogGroup",
    "LogGroupSpec",
    "SubscriptionFilter",
]

LOG_GROUP_NAME = r"^[.\-_/#A-Za-z0-9]{1,512}$"
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip
"""What CloudWatch Logs takes. The log store's own bounds hold, too."""
MOST_SUBSCRIPTIONS = 2


class SubscriptionFilter(Model):
    """Lines that are delivered to a function."""

    name: str = Field(pattern=r"^[^:*]{1,512}$", description="Name of the subscription.")
    pattern: str = Field(
        default="", max_length=1024, description="Filter pattern of the lines; all if empty."
    )
    function: str = Field(
        pattern=FUNCTION_REFERENCE, description="Name of the function, :alias if need be."
    )
    created: str = Field(default="", description="When it was made, RFC 3339.")


class LogGroupSpec(Model):
    """What the group is wanted to be."""

    name: str = Field(pattern=LOG_GROUP_NAME, description="Name of the group.")
    retention_in_days: int | None = Field(
        default=None,
        ge=1,
        le=3653,
        description="Days after which lines go; else the log store's bounds alone hold.",
    )
    tags: dict[str, str] = Field(
        default_factory=dict, max_length=MOST_TAGS, description="Tags; nothing depends on them."
    )
    subscription_filters: list[SubscriptionFilter] = Field(
        default_factory=list,
        max_length=MOST_SUBSCRIPTIONS,
        description="Functions that get lines as they come.",
    )


class LogGroup(Resource):
    """Settings of a log group."""

    kind_name: ClassVar[str] = "LogGroup"
    plural: ClassVar[str] = "loggroups"
    short_names: ClassVar[tuple[str, ...]] = ("lg",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Group", "string", ".spec.name"),
        Column("Retention", "integer", ".spec.retentionInDays"),
        AGE,
    )
    listed: ClassVar[bool] = True

    kind: Literal["LogGroup"] = "LogGroup"
    spec: LogGroupSpec


LOG_GROUPS_BY_NAMESPACE = Index(LogGroup, lambda group: [group.metadata.namespace])
"""By the account's namespace."""
