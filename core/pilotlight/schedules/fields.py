"""Fields of a cron expression that are sets of numbers: minutes, hours, months and years.

Amazon EventBridge Scheduler User Guide, "Schedule types": `,` lists, `-` ranges, `*` all, `/`
steps. The two fields of days have more to them (`days`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["HOURS", "MINUTES", "MONTHS", "WEEKDAYS", "YEARS", "Field"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a field may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = field(default=())
    """Names of the numbers from `low` on, such as JAN."""

    def parse(self, text: str) -> frozenset[int]:
        """Return the numbers that a field's text means; raises ValueError."""
        return frozenset(number for item in text.split(",") for number in self._item(item))

    def number(self, text: str) -> int:
        """Parse one number or name; raises ValueError where it is none or out of range."""
        if text.upper() in self.names:
            return self.low + self.names.index(text.upper())
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{self.name}: {text!r} is no number{self._or_name()}")
        number = int(text)
        if not self.low <= number <= self.high:
            raise ValueError(f"{self.name}: {number} is not from {self.low} to {self.high}")
        return number

    def span(self, text: str) -> range:
        """Parse `a`, `a-b` or `*`; raises ValueError."""
        if text == "*":
            return range(self.low, self.high + 1)
        first, dash, last = text.partition("-")
        start = self.number(first)
        end = self.number(last) if dash else start
        if end < start:
            raise ValueError(f"{self.name}: {text!r} ends before it begins")
        return range(start, end + 1)

    def _item(self, text: str) -> range:
        span, slash, step = text.partition("/")
        numbers = self.span(span)
        if not slash:
            return numbers
        if not (step.isascii() and step.isdecimal()) or int(step) == 0:
            raise ValueError(f"{self.name}: the step {step!r} is no number above 0")
        # A start without an end goes on to the field's end: 5/15 is 5, 20, 35, 50.
        stop = numbers.stop if span == "*" or "-" in span else self.high + 1
        return range(numbers.start, stop, int(step))

    def _or_name(self) -> str:
        return f" and none of {', '.join(self.names)}" if self.names else ""


MINUTES = Field("minutes", 0, 59)
HOURS = Field("hours", 0, 23)
MONTHS = Field(
    "month", 1, 12,
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)  # fmt: skip
WEEKDAYS = Field("day of week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
YEARS = Field("year", 1970, 2199)
