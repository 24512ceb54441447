"""Conditions of resources (Kubernetes API conventions): what is said, and since when it holds.

The one place that makes them: for the operator's services and for gateways' schedules.
"""

from __future__ import annotations

from typing import Literal

from .resources import Condition

__all__ = ["Said", "condition"]

Said = tuple[Literal["True", "False", "Unknown"], str, str]
"""A condition's status, reason and message."""


def condition(
    previous: Condition | None, kind: str, said: Said, *, generation: int, at: str
) -> Condition:
    """Return a condition as it is said now; `at` is this moment, used where the status changed."""
    status, reason, message = said
    unchanged = previous is not None and previous.status == status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=previous.last_transition_time if previous and unchanged else at,
    )
