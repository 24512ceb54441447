"""What a mapping's status says: pure, from what the gateway that holds it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.conditions import Said, condition
from pilotlight.resources import EventSourceMappingStatus, now

if TYPE_CHECKING:
    from pilotlight.resources import EventSourceMapping

    from .source import SourceError

__all__ = ["NOTHING_PROCESSED", "Standing", "status_of"]

NOTHING_PROCESSED = "No records processed"
BY_USER = "USER_INITIATED"


@dataclass(slots=True)
class Standing:
    """How a mapping stands at the gateway that holds it."""

    holder: str = ""
    trouble: SourceError | None = None
    """Why its source cannot be polled now."""
    result: str = NOTHING_PROCESSED


def status_of(mapping: EventSourceMapping, standing: Standing) -> EventSourceMappingStatus:
    """Return the status."""
    trouble = standing.trouble
    enabled = mapping.spec.enabled
    generation = mapping.metadata.generation
    ready = condition(
        mapping.condition("Ready"), "Ready", _said(trouble, enabled=enabled),
        generation=generation, at=now(),
    )  # fmt: skip
    return EventSourceMappingStatus(
        observed_generation=generation,
        state="Enabled" if enabled else "Disabled",
        state_transition_reason=str(trouble) if trouble else BY_USER,
        last_processing_result=f"PROBLEM: {trouble}" if trouble else standing.result,
        holder=standing.holder,
        conditions=[ready],
    )


def _said(trouble: SourceError | None, *, enabled: bool) -> Said:
    if trouble is not None:
        return "False", trouble.reason, str(trouble)
    if not enabled:
        return "False", "Disabled", "spec.enabled is false"
    return "True", "Polling", ""
