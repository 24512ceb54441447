"""Three minutes in which far more is asked for than there is room for, an upgrade in the middle."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.config import Config

from tests.support.cluster import seconds_until, wait_until
from tests.support.load import Load
from tests.support.weather import (
    SOURCE,
    Watch,
    accept,
    call,
    insist,
    is_answered,
    kinds,
    little_room,
    most_made,
    restarts,
)

from .result import Result

if TYPE_CHECKING:
    from tests.support.cluster import Installation

__all__ = ["run_storm"]

ROOM, COLD, CALLERS = 20, 60, 4
"""Pods of the account; functions that nobody has called; callers of each, who try again at once."""
CALLS, EVENTS = 10.0, 10.0
"""A second, of a function that is called all the time."""
BEFORE_SECONDS, STORM_SECONDS, RECOVERY_SECONDS = 15.0, 180.0, 30.0
WINDOW_SECONDS = 5.0
GOODPUT = 0.95
MOST_LEADERLESS = 20.0
"""Seconds, of which a standby waits fifteen for a leader that is gone without a word."""
LEFT = "SELECT count(*) FROM events WHERE function = 'sheltered'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'sheltered'"


def run_storm(platform: Installation) -> Result:
    """Have a storm, and say what held."""
    names = [f"stormy-{number}" for number in range(COLD)]
    for name in (*names, "sheltered", "after-the-storm"):
        platform.apply(name, SOURCE, timeout=20)
    for name in (*names, "sheltered", "after-the-storm"):
        platform.wait_ready(name, 60)
    client = platform.client(
        config=Config(
            retries={"total_max_attempts": 1},
            read_timeout=60,
            max_pool_connections=COLD * CALLERS + 100,
        )
    )
    result = Result(
        "storm",
        f"{COLD * CALLERS} callers of {COLD} cold functions where {ROOM} pods may run, for "
        f"{STORM_SECONDS:.0f} s, beside {CALLS:.0f} calls and {EVENTS:.0f} events a second of one "
        "that is warm; `helm upgrade` of gateways and operators in the middle.",
    )
    with (
        Load(lambda number: call(client, "sheltered", number), per_second=CALLS) as calls,
        Load(lambda number: accept(client, "sheltered", number), per_second=EVENTS) as events,
    ):
        time.sleep(BEFORE_SECONDS)
        began = time.monotonic()
        with little_room(platform, ROOM), Watch(platform) as watch:
            stormy = _storm(platform, client, names)
            ended = time.monotonic()
            first = seconds_until(lambda: is_answered(platform, "after-the-storm"), 120)
        time.sleep(max(0.0, ended + RECOVERY_SECONDS + WINDOW_SECONDS - time.monotonic()))
    _judge_bounds(platform, result, watch)
    _judge_stormy(result, stormy)
    _judge_calls(result, calls, began, ended, first)
    _judge_events(platform, result, events)
    return result


@dataclass(frozen=True)
class _Stormy:
    """What became of the cold functions' callers and of the upgrade."""

    answered: list[int | BaseException]
    """How often each caller was answered, or what ended it."""
    upgraded: float | str
    """Seconds, or why not."""


def _storm(platform: Installation, client: object, names: list[str]) -> _Stormy:
    end = time.monotonic() + STORM_SECONDS
    with ThreadPoolExecutor(COLD * CALLERS) as callers:
        stormy = [callers.submit(insist, client, name, end) for name in names * CALLERS]
        time.sleep(STORM_SECONDS / 3)
        upgraded = _upgrade(platform)
        return _Stormy([one.exception() or one.result() for one in stormy], upgraded)


def _upgrade(platform: Installation) -> float | str:
    began = time.monotonic()
    try:
        platform.upgrade("gateway.podAnnotations.rolled=yes", "operator.podAnnotations.rolled=yes")
    except AssertionError as error:
        return str(error)[:200]
    return time.monotonic() - began


def _judge_bounds(platform: Installation, result: Result, watch: Watch) -> None:
    started, most = watch.most_starting, most_made()
    result.promise(f"at most {most} pods are made at once", started, holds=started <= most)
    away = watch.without_leader
    result.promise(
        f"somebody leads, but for {MOST_LEADERLESS:.0f} s at a change",
        f"{away:.0f} s without a leader, {len(watch.leaders)} leaders",
        holds=away <= MOST_LEADERLESS,
    )
    anew = sum(restarts(platform).values())
    result.promise("nothing of the platform is restarted", anew, holds=anew == 0)


def _judge_stormy(result: Result, stormy: _Stormy) -> None:
    upgraded = stormy.upgraded
    took = upgraded if isinstance(upgraded, str) else f"in {upgraded:.0f} s"
    result.promise("the upgrade goes through", took, holds=not isinstance(upgraded, str))
    answered = sum(one for one in stormy.answered if isinstance(one, int))
    cut = [one for one in stormy.answered if not isinstance(one, int)]
    result.promise("what there is room for is served", f"{answered} calls", holds=answered > COLD)
    result.promise(
        "who asks for more is throttled and reads nothing else",
        f"{len(cut)} of {len(stormy.answered)} callers did {kinds(cut)}".strip(),
        holds=not cut,
    )


def _judge_calls(result: Result, calls: Load, began: float, ended: float, first: float) -> None:
    failed = [one for one in calls.failed if began <= one.began]
    result.promise(
        "no call of the warm function fails",
        f"{len(failed)} of {len(calls.calls)} {kinds(one.error for one in failed)}".strip(),
        holds=not failed,
    )
    back = _back_after(calls, ended)
    result.promise(
        f"{RECOVERY_SECONDS:.0f} s after the storm goodput is what it was",
        "not" if back is None else f"after {back:.0f} s",
        holds=back is not None and back <= RECOVERY_SECONDS,
    )
    result.promise(
        f"a function that nobody has called is answered {RECOVERY_SECONDS:.0f} s after it",
        f"after {first:.1f} s",
        holds=first <= RECOVERY_SECONDS,
    )


def _back_after(calls: Load, ended: float) -> float | None:
    """Return after how many seconds a window had as many answers as calls usually make."""
    good = [one.ended for one in calls.calls if one.error is None]
    for second in range(int(RECOVERY_SECONDS) + 1):
        since = ended + second
        answered = sum(since <= at < since + WINDOW_SECONDS for at in good)
        if answered >= GOODPUT * CALLS * WINDOW_SECONDS:
            return float(second)
    return None


def _judge_events(platform: Installation, result: Result, events: Load) -> None:
    wait_until(lambda: int(platform.sql(LEFT)) == 0, "every event has ended", 120)
    done, accepted = int(platform.sql(DONE)), len(events.calls) - len(events.failed)
    result.promise(
        "every event that was accepted is carried out",
        f"{accepted} accepted, {len(events.failed)} refused, {done} done",
        holds=accepted <= done <= len(events.calls),
    )
