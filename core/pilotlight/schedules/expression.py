"""Schedule expressions: `cron(…)`, `rate(…)` and `at(…)`, and the times that they mean.

Amazon EventBridge Scheduler User Guide, "Schedule types" and "Time zones": a cron time that
daylight saving skips does not fire, one that it repeats fires once, the first time; a rate counts
elapsed time and knows no zone.
"""

from __future__ import annotations

import functools
import itertools
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .days import DayRule, months, parse_days
from .fields import HOURS, MINUTES, MONTHS, YEARS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Expression", "next_times", "parse_expression", "parse_zone"]

_FORM = re.compile(r"(cron|rate|at)\((.*)\)")
_FIELDS = 6
_UNIX_FIELDS = 5
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_LONGEST_RATE = timedelta(days=36_500)


class Expression(Protocol):
    """When something fires."""

    def times(self, zone: ZoneInfo, after: datetime, anchor: datetime) -> Iterator[datetime]:
        """Return the times after a moment, ascending, in UTC; `anchor` is when it all began."""
        ...


@dataclass(frozen=True, slots=True)
class _Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: DayRule
    months: frozenset[int]
    years: frozenset[int]

    def times(self, zone: ZoneInfo, after: datetime, anchor: datetime) -> Iterator[datetime]:
        del anchor  # the clock on the wall says it all
        # A day earlier, since the zone may be behind: what is not after is left out below.
        since = (after.astimezone(zone) - timedelta(days=1)).date()
        for local in self._local(since):
            moment = _moment(local, zone)
            if moment is not None and moment > after:
                yield moment

    def dates(self, since: date) -> Iterator[date]:
        """Return the days meant."""
        for month in months(self.years, self.months, since):
            for day in self.days.days(month.year, month.month):
                found = month.replace(day=day)
                if found >= since:
                    yield found

    def _local(self, since: date) -> Iterator[datetime]:
        clock = list(itertools.product(sorted(self.hours), sorted(self.minutes)))
        for day in self.dates(since):
            for hour, minute in clock:
                # Naive on purpose: what the clock on the wall shows.
                yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class _Rate:
    period: timedelta

    def times(self, zone: ZoneInfo, after: datetime, anchor: datetime) -> Iterator[datetime]:
        del zone
        # Where nothing has begun yet, the beginning itself is the first time.
        passed = max(-1, (after - anchor) // self.period)
        with suppress(OverflowError):  # the calendar's end
            for number in itertools.count(passed + 1):
                yield anchor + number * self.period


@dataclass(frozen=True, slots=True)
class _At:
    local: datetime

    def times(self, zone: ZoneInfo, after: datetime, anchor: datetime) -> Iterator[datetime]:
        del anchor
        moment = _moment(self.local, zone)
        if moment is not None and moment > after:
            yield moment


@functools.lru_cache(maxsize=10_000)
def parse_expression(text: str) -> Expression:
    """Parse an expression; raises ValueError that says what is wrong, also if it never fires."""
    form = _FORM.fullmatch(text)
    if form is None:
        bare = f": {_as_aws_writes(text.split())}" if len(text.split()) == _UNIX_FIELDS else ""
        raise ValueError(f"{text!r} came, cron(…), rate(…) or at(…) is expected{bare}")
    parse = {"cron": _parse_cron, "rate": _parse_rate, "at": _parse_at}[form[1]]
    return parse(form[2])


def parse_zone(name: str) -> ZoneInfo:
    """Find a time zone of the IANA database; raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin or UTC") from error


def next_times(
    expression: Expression,
    zone: ZoneInfo,
    after: datetime,
    count: int,
    *,
    anchor: datetime | None = None,
) -> list[datetime]:
    """Return the next times after a moment, at most `count`, in UTC.

    A rate counts from `anchor`, or from `after` where none is given.
    """
    return list(itertools.islice(expression.times(zone, after, anchor or after), count))


def _parse_cron(text: str) -> Expression:
    fields = text.split()
    if len(fields) != _FIELDS:
        written = f": {_as_aws_writes(fields)}" if len(fields) == _UNIX_FIELDS else ""
        raise ValueError(
            f"{len(fields)} fields came, minutes, hours, day of month, month, day of week and "
            f"year are expected{written}"
        )
    cron = _Cron(
        minutes=MINUTES.parse(fields[0]),
        hours=HOURS.parse(fields[1]),
        days=parse_days(fields[2], fields[4]),
        months=MONTHS.parse(fields[3]),
        years=YEARS.parse(fields[5]),
    )
    if next(cron.dates(date(YEARS.low, 1, 1)), None) is None:
        raise ValueError(f"cron({text}) never fires: no such day")
    return cron


def _as_aws_writes(fields: list[str]) -> str:
    """Say a line of Unix's crontab in AWS's words: a year more, `?` for a day that says nothing.

    Days of the week count from 1, Sunday; crontab counts from 0.
    """
    minutes, hours, day, month, weekday = fields
    if day == "*" and weekday not in {"*", "?"}:
        day = "?"
        weekday = re.sub(r"\b\d", lambda digit: str(int(digit[0]) % 7 + 1), weekday)
    elif weekday == "*":
        weekday = "?"
    return f"AWS writes cron({minutes} {hours} {day} {month} {weekday} *)"


def _parse_rate(text: str) -> Expression:
    match = re.fullmatch(r"([0-9]{1,9}) (minute|hour|day)(s?)", text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"rate({text}) came, a number above 0 and minutes, hours or days expected")
    number, unit, plural = int(match[1]), match[2], match[3]
    if (number == 1) == bool(plural):
        raise ValueError(f"rate({text}) came, {number} {unit}{'' if number == 1 else 's'} expected")
    if number * _UNITS[unit] > _LONGEST_RATE.total_seconds():
        raise ValueError(f"rate({text}) is longer than {_LONGEST_RATE.days} days")
    return _Rate(timedelta(seconds=number * _UNITS[unit]))


def _parse_at(text: str) -> Expression:
    try:
        # Naive on purpose: the schedule's own zone says which moment it is.
        return _At(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S"))  # noqa: DTZ007
    except ValueError as error:
        raise ValueError(f"at({text}) came, a time like 2026-07-01T12:00:00 expected") from error


def _moment(local: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment at which a zone's clocks show a time; None where they skip it."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == local else None
