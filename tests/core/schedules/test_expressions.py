"""The grammar of schedules: golden times, what is refused, and laws that hold of every expression.

cronsim, another implementation of cron, is the oracle for what both understand.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pilotlight.schedules import firing_time, next_times, parse_expression, parse_zone

UTC_ZONE = ZoneInfo("UTC")


def times(text: str, after: str, count: int = 3, zone: str = "UTC") -> list[str]:
    found = next_times(parse_expression(text), ZoneInfo(zone), datetime.fromisoformat(after), count)
    return [one.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M%z") for one in found]


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("cron(0 10 * * ? *)", "2026-03-01T10:00:00Z", ["2026-03-02T10:00+0000"]),
        ("cron(15 12 ? * MON-FRI *)", "2026-11-20T13:00:00Z", ["2026-11-23T12:15+0000"]),
        ("cron(0 8 1 * ? *)", "2026-11-02T00:00:00Z", ["2026-12-01T08:00+0000"]),
        ("cron(0/15 * * * ? *)", "2026-11-02T00:46:00Z", ["2026-11-02T01:00+0000"]),
        ("cron(5/20 9 * * ? *)", "2026-11-02T09:06:00Z", ["2026-11-02T09:25+0000"]),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00:00Z", ["2028-02-29T00:00+0000"]),
        ("cron(0 0 15W * ? *)", "2026-11-01T00:00:00Z", ["2026-11-16T00:00+0000"]),
        ("cron(0 0 1W * ? *)", "2026-07-31T00:00:00Z", ["2026-08-03T00:00+0000"]),
        ("cron(0 0 31W * ? *)", "2026-05-01T00:00:00Z", ["2026-05-29T00:00+0000"]),
        ("cron(0 0 LW * ? *)", "2026-02-01T00:00:00Z", ["2026-02-27T00:00+0000"]),
        ("cron(0 0 ? * 6L *)", "2026-11-01T00:00:00Z", ["2026-11-27T00:00+0000"]),
        ("cron(0 0 ? * L *)", "2026-11-01T00:00:00Z", ["2026-11-07T00:00+0000"]),
        ("cron(0 0 ? * TUE#2 *)", "2026-11-01T00:00:00Z", ["2026-11-10T00:00+0000"]),
        ("cron(0 0 ? * 1#5 *)", "2026-12-01T00:00:00Z", ["2027-01-31T00:00+0000"]),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00:00Z", ["2028-02-29T00:00+0000"]),
        ("cron(0 0 1 JAN,jul ? 2027-2028)", "2027-01-02T00:00:00Z", ["2027-07-01T00:00+0000"]),
        ("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00Z", []),
        ("rate(5 minutes)", "2026-01-01T00:00:00Z", ["2026-01-01T00:05+0000"]),
        ("rate(1 day)", "2026-01-01T00:00:00Z", ["2026-01-02T00:00+0000"]),
        ("at(2026-07-01T12:30:00)", "2026-01-01T00:00:00Z", ["2026-07-01T12:30+0000"]),
        ("at(2026-07-01T12:30:00)", "2026-07-01T12:30:00Z", []),
    ],
)
def test_golden_times(text: str, after: str, wanted: list[str]) -> None:
    assert times(text, after, 1) == wanted


@pytest.mark.parametrize(
    ("text", "zone", "after", "wanted"),
    [
        # Clocks go from 02:00 to 03:00 on 29 March: 02:30 is skipped that day.
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00Z",
         ["2026-03-28T02:30+0100", "2026-03-30T02:30+0200", "2026-03-31T02:30+0200"]),
        # Clocks go from 03:00 back to 02:00 on 25 October: 02:30 fires once, the first time.
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T20:00:00Z",
         ["2026-10-25T02:30+0200", "2026-10-26T02:30+0100", "2026-10-27T02:30+0100"]),
        ("cron(0 * * * ? *)", "Europe/Berlin", "2026-10-24T23:30:00Z",
         ["2026-10-25T02:00+0200", "2026-10-25T03:00+0100", "2026-10-25T04:00+0100"]),
        # Half an hour is skipped on Lord Howe Island.
        ("cron(15 2 * * ? *)", "Australia/Lord_Howe", "2026-10-02T12:00:00Z",
         ["2026-10-03T02:15+1030", "2026-10-05T02:15+1100", "2026-10-06T02:15+1100"]),
        # Samoa had no 30 December 2011.
        ("cron(0 12 * * ? *)", "Pacific/Apia", "2011-12-29T12:00:00Z",
         ["2011-12-29T12:00-1000", "2011-12-31T12:00+1400", "2012-01-01T12:00+1400"]),
        ("rate(24 hours)", "Europe/Berlin", "2026-03-28T12:00:00Z",
         ["2026-03-29T14:00+0200", "2026-03-30T14:00+0200", "2026-03-31T14:00+0200"]),
        ("at(2026-03-29T02:30:00)", "Europe/Berlin", "2026-01-01T00:00:00Z", []),
        ("at(2026-10-25T02:30:00)", "Europe/Berlin", "2026-01-01T00:00:00Z",
         ["2026-10-25T02:30+0200"]),
    ],
)  # fmt: skip
def test_daylight_saving(text: str, zone: str, after: str, wanted: list[str]) -> None:
    assert times(text, after, zone=zone) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 10 * * ? *", "cron(…), rate(…) or at(…) is expected"),
        ("cron(0 10 * * ?)", "5 fields came"),
        ("cron(0 10 * * * *)", "must be ?"),
        ("cron(0 10 ? * ? *)", "must be ?"),
        ("cron(60 10 * * ? *)", "minutes: 60 is not from 0 to 59"),
        ("cron(0 24 * * ? *)", "hours: 24 is not"),
        ("cron(0 0 32 * ? *)", "day of month: 32"),
        ("cron(0 0 * 13 ? *)", "month: 13"),
        ("cron(0 0 ? * 0 *)", "day of week: 0"),
        ("cron(0 0 ? * 8 *)", "day of week: 8"),
        ("cron(0 0 ? * MON#6 *)", "1 to 5"),
        ("cron(0 0 ? * MON#1,TUE#1 *)", "alone"),
        ("cron(0 0 ? * MON/2 *)", "steps"),
        ("cron(0 0 * * ? 1969)", "year: 1969"),
        ("cron(0 0 * * ? 2200)", "year: 2200"),
        ("cron(0/0 0 * * ? *)", "step '0'"),
        ("cron(5-1 0 * * ? *)", "ends before it begins"),
        ("cron(a 0 * * ? *)", "'a' is no number"),
        ("cron(0 0 * FEV ? *)", "none of JAN"),
        ("cron(0 0 W * ? *)", "'' is no number"),
        ("cron(, 0 * * ? *)", "'' is no number"),
        ("cron(0 0 30 2 ? *)", "never fires"),
        ("cron(0 0 31 4,6 ? *)", "never fires"),
        ("cron(0 0 29 2 ? 2027)", "never fires"),
        ("rate(0 minutes)", "above 0"),
        ("rate(1 minutes)", "1 minute expected"),
        ("rate(5 minute)", "5 minutes expected"),
        ("rate(5 seconds)", "minutes, hours or days"),
        ("rate(1.5 hours)", "above 0"),
        ("rate(99999999 days)", "longer than"),
        ("at(2026-02-30T00:00:00)", "a time like"),
        ("at(2026-01-01)", "a time like"),
        ("at(2026-01-01T00:00:00Z)", "a time like"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_expression(text)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe"])
def test_unknown_zones(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        parse_zone(name)


def a_field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    spans = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    wide = spans.filter(lambda text: len(set(text.split("-"))) > 1)  # cronsim reads 3-3/2 as 3/2
    steps = st.tuples(st.one_of(st.just("*"), wide), st.integers(1, 20)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    lists = st.lists(st.one_of(numbers.map(str), spans), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), lists, steps)


moments = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  the strategy adds the zone
    lambda moment: moment.replace(microsecond=0)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
months_and_days = st.one_of(
    st.tuples(a_field(1, 28), a_field(1, 12), st.just("?")),
    st.tuples(st.just("?"), a_field(1, 12), a_field(1, 7).filter(lambda text: "/" not in text)),
    st.tuples(st.sampled_from(["L", "LW", "15W", "1W", "L,3"]), a_field(1, 12), st.just("?")),
    st.tuples(st.just("?"), a_field(1, 12), st.sampled_from(["2L", "3#2", "L", "SAT#5"])),
)


@settings(max_examples=150, deadline=None)
@given(a_field(0, 59), a_field(0, 23), months_and_days, moments, zones)
def test_times_ascend_and_match_their_fields(
    minutes: str, hours: str, days: tuple[str, str, str], after: datetime, zone: str
) -> None:
    """Every time is after the one before, and its clock shows what the fields say."""
    of_month, month, of_week = days
    expression = parse_expression(f"cron({minutes} {hours} {of_month} {month} {of_week} *)")
    found = next_times(expression, ZoneInfo(zone), after, 4)
    assert len(found) == 4
    for earlier, later in zip([after, *found], found, strict=False):
        assert earlier < later
        local = later.astimezone(ZoneInfo(zone))
        assert local.fold == 0
        assert (local.second, local.microsecond) == (0, 0)
        assert fits(minutes, 0, local.minute)
        assert fits(hours, 0, local.hour)
        assert fits(month, 1, local.month)
        assert of_week != "?" or fits_day(of_month, local)


@settings(max_examples=100, deadline=None)
@given(a_field(0, 59), a_field(0, 23), months_and_days, moments)
def test_asking_in_pieces_is_asking_once(
    minutes: str, hours: str, days: tuple[str, str, str], after: datetime
) -> None:
    of_month, month, of_week = days
    expression = parse_expression(f"cron({minutes} {hours} {of_month} {month} {of_week} *)")
    whole = next_times(expression, UTC_ZONE, after, 5)
    pieces: list[datetime] = []
    for _ in whole:
        pieces += next_times(expression, UTC_ZONE, pieces[-1] if pieces else after, 1)
    assert pieces == whole


@settings(max_examples=150, deadline=None)
@given(a_field(0, 59), a_field(0, 23), a_field(1, 28), a_field(1, 12), moments)
def test_cronsim_agrees_about_days_of_the_month(
    minutes: str, hours: str, of_month: str, month: str, after: datetime
) -> None:
    mine = parse_expression(f"cron({minutes} {hours} {of_month} {month} ? *)")
    theirs = CronSim(f"{minutes} {hours} {of_month} {month} *", after)
    assert next_times(mine, UTC_ZONE, after, 5) == [next(theirs) for _ in range(5)]


@settings(max_examples=100, deadline=None)
@given(a_field(0, 59), st.lists(st.integers(1, 7), min_size=1, max_size=4), moments)
def test_cronsim_agrees_about_days_of_the_week(
    minutes: str, weekdays: list[int], after: datetime
) -> None:
    mine = parse_expression(f"cron({minutes} 6 ? * {','.join(map(str, weekdays))} *)")
    theirs = CronSim(f"{minutes} 6 * * {','.join(str(one - 1) for one in weekdays)}", after)
    assert next_times(mine, UTC_ZONE, after, 5) == [next(theirs) for _ in range(5)]


@given(st.integers(2, 10_000), st.sampled_from(["minute", "hour", "day"]), moments, moments)
def test_a_rate_counts_from_its_anchor(
    number: int, unit: str, anchor: datetime, after: datetime
) -> None:
    assume(anchor <= after)
    period = timedelta(**{f"{unit}s": number})
    expression = parse_expression(f"rate({number} {unit}s)")
    first, second = next_times(expression, UTC_ZONE, after, 2, anchor=anchor)
    assert (first - anchor) % period == timedelta(0)
    assert after < first <= after + period
    assert second - first == period


@given(st.text(max_size=30), moments, st.integers(1, 120), st.integers(0, 1440))
def test_a_window_puts_off_within_bounds_and_always_the_same(
    uid: str, due: datetime, gap: int, window: int
) -> None:
    following, allowed = due + timedelta(minutes=gap), timedelta(minutes=window)
    moment = firing_time(uid, due, following, allowed)
    assert due <= moment < following
    assert moment - due <= allowed
    assert firing_time(uid, due, following, allowed) == moment


def test_windows_spread() -> None:
    due = datetime(2026, 1, 1, tzinfo=UTC)
    waits = {firing_time(str(n), due, None, timedelta(hours=1)) - due for n in range(200)}
    assert len(waits) > 150
    assert max(waits) - min(waits) > timedelta(minutes=50)


def fits(text: str, low: int, number: int) -> bool:
    """Say whether a field of numbers means a number: a second, plainer reading of the grammar."""
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        start = low if span == "*" else int(first)
        end = 99 if span == "*" else int(last or first)
        if start <= number <= end and (number - start) % int(step or 1) == 0:
            return True
    return False


def fits_day(text: str, local: datetime) -> bool:
    length = calendar.monthrange(local.year, local.month)[1]
    match text:
        case "L":
            return local.day == length
        case "L,3":
            return local.day in {3, length}
        case "LW":
            return local.day > length - 3 and local.weekday() < 5
        case "15W":
            return 14 <= local.day <= 16 and local.weekday() < 5
        case "1W":
            return local.day <= 3 and local.weekday() < 5
        case _:
            return fits(text, 1, local.day)
