"""`EventSourceMapping`: a source of records that is polled, and the function that gets them.

What is wanted is in `event_source_spec`. Gateways poll (`pilotlight_gateway.event_sources`), and
write the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from .event_source_spec import EventSourceMappingSpec, spec_problem
from .meta import (
    AGE,
    READY,
    REASON,
    Column,
    Condition,
    Index,
    Model,
    Resource,
    find_condition,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MAPPINGS_BY_SOURCE",
    "MAPPINGS_BY_UID",
    "EventSourceMapping",
    "EventSourceMappingStatus",
]


class EventSourceMappingStatus(Model):
    """What is known of the mapping."""

    observed_generation: int = Field(default=0, description="The generation that was observed.")
    state: str = Field(default="", description="Lambda's: Enabled or Disabled; empty at first.")
    state_transition_reason: str = Field(default="", description="Why it is in that state.")
    last_processing_result: str = Field(default="", description="What became of the last batch.")
    holder: str = Field(default="", description="The gateway that polls, of a stream its list.")
    conditions: list[Condition] = Field(default_factory=list, description="Ready.")


class EventSourceMapping(Resource):
    """A source that is polled, and the function that gets its records."""

    kind_name: ClassVar[str] = "EventSourceMapping"
    plural: ClassVar[str] = "eventsourcemappings"
    short_names: ClassVar[tuple[str, ...]] = ("fnesm",)
    columns: ClassVar[tuple[Column, ...]] = (
        READY,
        REASON,
        Column("Source", "string", ".spec.eventSourceArn"),
        Column("Function", "string", ".spec.function"),
        Column("State", "string", ".status.state"),
        Column("Last", "string", ".status.lastProcessingResult"),
        AGE,
    )
    listed: ClassVar[bool] = True

    kind: Literal["EventSourceMapping"] = "EventSourceMapping"
    spec: EventSourceMappingSpec
    status: EventSourceMappingStatus = Field(default_factory=EventSourceMappingStatus)

    @property
    def source(self) -> str:
        """What is polled, for comparison and for people: an ARN, or brokers and a topic."""
        spec = self.spec
        if address := spec.event_source_arn or spec.source:
            return "/".join([address, *spec.topics, *spec.queues])
        managed = spec.self_managed_event_source
        brokers = [one for named in managed.endpoints.values() for one in named] if managed else []
        return "/".join([",".join(brokers), *spec.topics, *spec.queues])

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return find_condition(self.status.conditions, kind)

    def problem(self) -> str | None:
        """Say what no schema can say is wrong: what the kind of source does not allow."""
        return spec_problem(self.spec)

    def rival(self, others: Iterable[EventSourceMapping]) -> EventSourceMapping | None:
        """Return an older mapping of the same source and function; Lambda allows one."""
        rivals = (one for one in others if one.key != self.key and one.pair == self.pair)
        return min((one for one in rivals if _age(one) < _age(self)), key=_age, default=None)

    @property
    def pair(self) -> tuple[str, str, str]:
        """Namespace, source and function, of which there is one mapping."""
        return self.metadata.namespace, self.source, self.spec.function


def _age(mapping: EventSourceMapping) -> tuple[str, str]:
    metadata = mapping.metadata
    # One that is not stored yet is younger than all that are.
    return metadata.creation_timestamp or "~", metadata.name


MAPPINGS_BY_UID = Index(EventSourceMapping, lambda one: [one.metadata.uid])
"""The API's UUID of a mapping is its uid."""
MAPPINGS_BY_SOURCE = Index(EventSourceMapping, lambda one: [one.pair])
