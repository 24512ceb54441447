"""`Schedule`: a function that is invoked, asynchronously, at times of a clock.

Names and limits follow Amazon EventBridge Scheduler (API reference, CreateSchedule); the grammar is
`pilotlight.schedules`. Gateways fire it (`pilotlight_gateway.schedules`).
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ..schedules import next_times, parse_expression, parse_zone
from .meta import AGE, READY, REASON, Column, Condition, Model, Resource, find_condition
from .route import FUNCTION_REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Schedule", "ScheduleSpec", "ScheduleStatus", "format_time", "parse_time"]

LARGEST_INPUT = 262_144
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(seconds=1)


_TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


class ScheduleSpec(Model):
    """What the schedule is wanted to be."""

    expression: str = Field(
        max_length=256,
        pattern=r"^(cron|rate|at)\(.*\)$",
        description="cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or "
        "at(2026-07-01T12:00:00).",
    )
    timezone: str = Field(
        default="UTC", max_length=64, description="IANA time zone of cron and at."
    )
    function: str = Field(
        pattern=FUNCTION_REFERENCE, description="Name of the function, :alias if need be."
    )
    input: str = Field(
        default="{}",
        max_length=LARGEST_INPUT,
        description="The event, as JSON text; <aws.scheduler.scheduled-time> in it is replaced.",
    )
    enabled: bool = Field(default=True, description="Whether it fires.")
    flexible_window: int = Field(
        default=0, ge=0, le=1440, description="Minutes within which a firing may be put off."
    )
    start: str | None = Field(
        default=None,
        pattern=_TIME_PATTERN,
        description="No firing before, such as 2026-01-01T00:00:00Z.",
    )
    end: str | None = Field(
        default=None, pattern=_TIME_PATTERN, description="No firing from then on."
    )
    maximum_event_age: int = Field(
        default=21_600,
        ge=60,
        le=21_600,
        description="Seconds after its time until which a firing is tried.",
    )


class ScheduleStatus(Model):
    """What is known of the schedule."""

    observed_generation: int = Field(default=0, description="The generation that was observed.")
    last_time: str | None = Field(default=None, description="The last time that was fired for.")
    done_until: str | None = Field(
        default=None, description="No time until here fires any more: it did, or the spec changed."
    )
    next_time: str | None = Field(default=None, description="The next time, without its window.")
    conditions: list[Condition] = Field(default_factory=list, description="Ready.")


class Schedule(Resource):
    """Times at which a function is invoked."""

    kind_name: ClassVar[str] = "Schedule"
    plural: ClassVar[str] = "schedules"
    short_names: ClassVar[tuple[str, ...]] = ("fnsched",)
    columns: ClassVar[tuple[Column, ...]] = (
        READY,
        REASON,
        Column("Expression", "string", ".spec.expression"),
        Column("Function", "string", ".spec.function"),
        Column("Last", "string", ".status.lastTime"),
        Column("Next", "string", ".status.nextTime"),
        AGE,
    )
    listed: ClassVar[bool] = True

    kind: Literal["Schedule"] = "Schedule"
    spec: ScheduleSpec
    status: ScheduleStatus = Field(default_factory=ScheduleStatus)

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return find_condition(self.status.conditions, kind)

    def problem(self) -> str | None:
        """Say what no schema can say is wrong: the expression, the zone, a time, the input."""
        spec = self.spec
        try:
            start, end = parse_time(spec.start), parse_time(spec.end)
            if start and end and start >= end:
                return f"spec.start: {spec.start} is not before spec.end {spec.end}"
            zone = parse_zone(spec.timezone)
            if not next_times(parse_expression(spec.expression), zone, _EPOCH, 1):
                return f"spec.expression: {spec.expression} never fires in {spec.timezone}"
            json.loads(spec.input)
        except json.JSONDecodeError as error:
            return f"spec.input: it is no JSON: {error}"
        except (ValueError, RecursionError) as error:
            return f"spec: {error}"
        return None

    def upcoming(self, after: datetime) -> Iterator[datetime]:
        """Return the times of a schedule without a problem, ascending, in UTC, without windows.

        None is before it was made or before its start; a rate counts from its start.
        """
        made = parse_time(self.metadata.creation_timestamp) or _EPOCH
        start, end = parse_time(self.spec.start), parse_time(self.spec.end)
        since = max(after, made, start - _TICK) if start else max(after, made)
        expression, zone = parse_expression(self.spec.expression), parse_zone(self.spec.timezone)
        found = expression.times(zone, since, start or made)
        return itertools.takewhile(lambda time: end is None or time < end, found)


def parse_time(text: str | None) -> datetime | None:
    """Parse a time as Kubernetes writes it; raises ValueError."""
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC) if text else None


def format_time(moment: datetime) -> str:
    """Write a time as Kubernetes does."""
    return moment.astimezone(UTC).strftime(_TIME)
