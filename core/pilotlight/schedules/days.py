"""The days that a cron expression means: by day of the month, or by day of the week.

Exactly one of the two says something, the other one is `?`. `L` is the last day, `W` the weekday
nearest to a day inside its month, `#` the n-th weekday of the month (Amazon EventBridge Scheduler
User Guide, "Schedule types").
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from .fields import WEEKDAYS, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DayRule", "months", "parse_days"]

_DAYS = Field("day of month", 1, 31)
_MOST_OCCURRENCES = 5
_SATURDAY, _SUNDAY = 5, 6
"""As `date.weekday` counts."""


class DayRule(Protocol):
    """Which days of a month."""

    def days(self, year: int, month: int) -> list[int]:
        """Return the days of a month, ascending."""
        ...


@dataclass(frozen=True, slots=True)
class _ByMonth:
    numbers: frozenset[int]
    nearest: frozenset[int]
    """Days whose nearest weekday is meant."""
    last: bool
    last_weekday: bool

    def days(self, year: int, month: int) -> list[int]:
        length = calendar.monthrange(year, month)[1]
        found = {day for day in self.numbers if day <= length}
        found |= {_nearest_weekday(year, month, day) for day in self.nearest if day <= length}
        if self.last:
            found.add(length)
        if self.last_weekday:
            found.add(_nearest_weekday(year, month, length))
        return sorted(found)


@dataclass(frozen=True, slots=True)
class _ByWeek:
    numbers: frozenset[int]
    """1 is Sunday."""
    lasts: frozenset[int] = field(default=frozenset())
    """Weekdays whose last one in the month is meant."""
    nth: tuple[int, int] | None = None
    """Weekday, and which one of it in the month."""

    def days(self, year: int, month: int) -> list[int]:
        length = calendar.monthrange(year, month)[1]
        return [day for day in range(1, length + 1) if self._means(year, month, day, length)]

    def _means(self, year: int, month: int, day: int, length: int) -> bool:
        weekday = date(year, month, day).isoweekday() % 7 + 1
        if weekday in self.numbers or (weekday in self.lasts and day + 7 > length):
            return True
        return self.nth == (weekday, (day - 1) // 7 + 1)


def parse_days(of_month: str, of_week: str) -> DayRule:
    """Parse both fields; raises ValueError."""
    if (of_month == "?") == (of_week == "?"):
        raise ValueError("one of day of month and day of week must be ?, and not both")
    return _parse_week(of_week) if of_month == "?" else _parse_month(of_month)


def _parse_month(text: str) -> DayRule:
    items = text.upper().split(",")
    nearest = {item for item in items if item.endswith("W") and item != "LW"}
    plain = [item for item in items if item not in {"L", "LW"} and item not in nearest]
    return _ByMonth(
        numbers=_DAYS.parse(",".join(plain)) if plain else frozenset(),
        nearest=frozenset(_DAYS.number(item[:-1]) for item in nearest),
        last="L" in items,
        last_weekday="LW" in items,
    )


def _parse_week(text: str) -> DayRule:
    if "#" in text:
        return _ByWeek(frozenset(), nth=_parse_nth(text))
    if "/" in text:
        raise ValueError("day of week: steps (/) are not supported")
    return _ByWeek(*_split_lasts(text.upper().split(",")))


def _split_lasts(items: list[str]) -> tuple[frozenset[int], frozenset[int]]:
    lasts = [item for item in items if item.endswith("L") and item != "L"]
    plain = ["7" if item == "L" else item for item in items if item not in lasts]
    numbers = WEEKDAYS.parse(",".join(plain)) if plain else frozenset()
    return numbers, frozenset(WEEKDAYS.number(item[:-1]) for item in lasts)


def _parse_nth(text: str) -> tuple[int, int]:
    weekday, _, occurrence = text.partition("#")
    if not occurrence.isdecimal() or not 1 <= int(occurrence) <= _MOST_OCCURRENCES:
        raise ValueError(f"day of week: {text!r} came, a weekday, # and 1 to 5 are expected, alone")
    return WEEKDAYS.number(weekday), int(occurrence)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    length = calendar.monthrange(year, month)[1]
    weekday = date(year, month, day).weekday()
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def months(years: frozenset[int], of_year: frozenset[int], since: date) -> Iterator[date]:
    """Return the first day of every month meant, from the month of `since` on."""
    for year in sorted(year for year in years if year >= since.year):
        for month in sorted(of_year):
            if (year, month) >= (since.year, since.month):
                yield date(year, month, 1)
