"""What a schedule's status says: pure, from what the scheduler knows of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pilotlight.conditions import Said, condition
from pilotlight.resources import ScheduleStatus
from pilotlight.resources.schedule import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from pilotlight.resources import Schedule

__all__ = ["status_of"]


def status_of(  # noqa: PLR0913  what is known of a schedule, each by name
    schedule: Schedule,
    now: datetime,
    *,
    has_function: bool,
    problem: str | None,
    denied: str | None = None,
    done_until: datetime | None,
    fired: datetime | None = None,
) -> ScheduleStatus:
    """Return the status.

    `problem` says why the schedule cannot be understood, `denied` why its last time invoked
    nothing, `fired` which time was just fired for.
    """
    last = format_time(fired) if fired else schedule.status.last_time
    following = None if problem else _following(schedule, now, done_until)
    said = _said(schedule, problem, last, following, has_function=has_function)
    if denied is not None and said[0] == "True":
        said = "False", "AccessDenied", denied
    generation = schedule.metadata.generation
    ready = condition(
        schedule.condition("Ready"), "Ready", said, generation=generation, at=format_time(now)
    )
    return ScheduleStatus(
        observed_generation=generation,
        last_time=last,
        next_time=format_time(following) if following else None,
        done_until=format_time(done_until) if done_until else None,
        conditions=[ready],
    )


def _following(schedule: Schedule, now: datetime, done_until: datetime | None) -> datetime | None:
    """Return the next time; one that its window has put off is still to come."""
    if not schedule.spec.enabled:
        return None
    since = now - timedelta(minutes=schedule.spec.flexible_window)
    return next(schedule.upcoming(max(since, done_until or since)), None)


def _said(
    schedule: Schedule,
    problem: str | None,
    last: str | None,
    following: datetime | None,
    *,
    has_function: bool,
) -> Said:
    """Return what the condition Ready says."""
    spec = schedule.spec
    if problem is not None:
        return "False", "Invalid", problem
    if not spec.enabled:
        return "False", "Disabled", "spec.enabled is false"
    if not has_function:
        return "False", "FunctionNotFound", f"there is no function {spec.function!r}"
    if following is None and last:
        return "False", "Completed", f"{spec.expression} does not fire any more"
    if following is None:
        return "False", "NeverFires", f"{spec.expression} has no time to come"
    return "True", "Scheduled", ""
