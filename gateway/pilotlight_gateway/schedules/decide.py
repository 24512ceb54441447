"""What is due: of every schedule the latest time that has come and has not been fired for. Pure.

What was missed while nobody looked fires once, for the latest missed time, if that is not older
than the schedule's maximum age; earlier times are passed over (docs/schedules.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from pilotlight.schedules import firing_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pilotlight.resources import Schedule

__all__ = ["Decision", "Firing", "decide"]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Firing:
    """A schedule's time that has come."""

    schedule: Schedule
    time: datetime
    """As its expression says."""
    moment: datetime
    """As its flexible window says."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is due, and when something will be."""

    firings: list[Firing]
    wake_at: datetime | None


def decide(
    now: datetime, schedules: Iterable[Schedule], done_until: Mapping[str, datetime]
) -> Decision:
    """Return what is due at a moment; `done_until` says by uid which times are done with."""
    firings, wakes = [], []
    for schedule in schedules:
        if not schedule.spec.enabled:
            continue
        due = None
        for firing in _firings(now, schedule, done_until.get(schedule.metadata.uid, _LONG_AGO)):
            if firing.moment > now:
                wakes.append(firing.moment)
                break
            due = firing
        if due is not None and now - due.moment <= _age(schedule):
            firings.append(due)
    return Decision(firings, min(wakes, default=None))


def _firings(now: datetime, schedule: Schedule, done: datetime) -> Iterator[Firing]:
    """Return the firings after a time that is done with, but for those that are much too old."""
    window = timedelta(minutes=schedule.spec.flexible_window)
    oldest = now - _age(schedule) - window - timedelta(seconds=1)
    times = schedule.upcoming(max(done, oldest))
    for time, following in pairwise(chain(times, (None,))):
        if time is not None:
            yield Firing(
                schedule, time, firing_time(schedule.metadata.uid, time, following, window)
            )


def _age(schedule: Schedule) -> timedelta:
    return timedelta(seconds=schedule.spec.maximum_event_age)
