"""Faults drawn from a seed, one after the other, beside calls and events whose fate is known.

One half of the events fails on purpose and so ends as dead letters, which can be told by their ids;
the other half succeeds and is counted. What was accepted and is in neither ledger is lost.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tests.support.cluster import kubectl, seconds_until, wait_until
from tests.support.load import Load
from tests.support.weather import SOURCE, Watch, accept, call

from .fault_kinds import THIEF, Faults
from .result import Result

if TYPE_CHECKING:
    from tests.support.cluster import Installation
    from tests.support.load import Call

__all__ = ["run_faults"]

CALLS, EVENTS = 5.0, 10.0
"""A second; of the events half fail on purpose."""
REST_SECONDS = (2.0, 6.0)
RECOVERY_SECONDS = 60.0
"""After each fault: a leader that is stopped without a word is waited for for fifteen."""
FRESH_SECONDS = 6.0
"""The age of a Lease that is renewed every four."""
FAILING = """
def handler(event, context):
    raise ValueError(event.get("number"))
"""
KEPT = "SELECT id FROM events WHERE function = 'kept' AND state = 'dead'"
LEFT = "SELECT count(*) FROM events WHERE function IN ('kept', 'counted') AND state <> 'dead'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'counted'"


def run_faults(platform: Installation, seed: int, count: int) -> Result:
    """Have faults, and say what held."""
    for name, source in (("called", SOURCE), ("counted", SOURCE), ("kept", FAILING)):
        extra = {"async": {"maximumRetryAttempts": 0}} if name == "kept" else {}
        platform.apply(name, source, timeout=10, **extra)
    for name in ("called", "counted", "kept"):
        platform.wait_ready(name)
    platform.invoke("called", {"number": 1})
    client = platform.client()

    def send(number: int) -> str:
        return accept(client, ("counted", "kept")[number % 2], number)

    drawn: Counter[str] = Counter()
    slowest, restless = 0.0, list[str]()
    faults = Faults(platform, random.Random(seed))
    with (
        Load(lambda number: call(client, "called", number), per_second=CALLS) as calls,
        Load(send, per_second=EVENTS) as events,
        Watch(platform) as watch,
    ):
        for _ in range(count):
            time.sleep(faults.chance.uniform(*REST_SECONDS))
            fault = faults.draw()
            drawn[fault.__name__] += 1
            sys.stdout.write(f"{time.strftime('%X')} {fault.__name__}\n")
            sys.stdout.flush()
            fault()
            took = seconds_until(lambda: _is_well(platform), RECOVERY_SECONDS)
            slowest = max(slowest, took)
            restless += [] if took <= RECOVERY_SECONDS else [fault.__name__]
    described = ", ".join(f"{name} {times}" for name, times in sorted(drawn.items()))
    result = Result("faults", f"{count} faults, seed {seed} ({described}), beside {CALLS:.0f} "
                    f"calls and {EVENTS:.0f} events a second.")  # fmt: skip
    result.promise(
        f"a call, an event and a leader are back within {RECOVERY_SECONDS:.0f} s of each",
        f"within {slowest:.0f} s {restless or ''}".strip(), holds=not restless,
    )  # fmt: skip
    _judge_events(platform, result, events)
    _judge_calls(result, calls)
    result.promise(
        "pods are made by eight at once", watch.most_starting, holds=watch.most_starting <= 8
    )
    return result


def _is_well(platform: Installation) -> bool:
    client = platform.client()
    try:
        called = call(client, "called", 7) == 7
        accepted = bool(accept(client, "called", 7))
    except (ClientError, BotoCoreError, AssertionError):
        return False
    return called and accepted and _is_led(platform)


def _is_led(platform: Installation) -> bool:
    """Say whether somebody real renews the Lease: a dead leader's name stays in it for a while."""
    path = "jsonpath={.spec.renewTime}"
    lease = ("get", "lease", platform.release, "-n", platform.namespace)
    renewed = datetime.fromisoformat(kubectl(*lease, "-o", path))
    age = (datetime.now(UTC) - renewed).total_seconds()
    return age < FRESH_SECONDS and platform.leader() not in {"", THIEF}


def _judge_events(platform: Installation, result: Result, events: Load) -> None:
    wait_until(lambda: int(platform.sql(LEFT)) == 0, "every event has ended", 180)
    accepted = [one for one in events.calls if one.error is None]
    kept = set(platform.sql(KEPT).split())
    ids = [str(one.answer) for one in accepted if one.number % 2]
    lost = [one for one in ids if one not in kept]
    result.promise(
        "no event that was accepted is lost: those that fail are found by their ids",
        f"{len(ids)} accepted, {len(lost)} lost", holds=not lost,
    )  # fmt: skip
    counted, sent = len(accepted) - len(ids), sum(one.number % 2 == 0 for one in events.calls)
    done = int(platform.sql(DONE))
    result.promise(
        "those that succeed are all done; at most those of which nobody was told come on top",
        f"{counted} accepted of {sent}, {done} done", holds=counted <= done <= sent,
    )  # fmt: skip


def _judge_calls(result: Result, calls: Load) -> None:
    kinds = Counter(map(_kind, calls.failed))
    others = kinds["other"]
    said = ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items()))
    result.promise(
        "a call fails only with what was killed, and says so",
        f"{len(calls.failed)} of {len(calls.calls)} failed: {said or 'none'}", holds=not others,
    )  # fmt: skip
    if others:
        shown = [repr(one.error)[:300] for one in calls.failed if _kind(one) == "other"]
        sys.stdout.write("\n".join(shown[:10]) + "\n")


def _kind(failed: Call) -> str:
    """Say in a word how a call failed."""
    error, said = failed.error, str(failed.error)
    if isinstance(error, AssertionError) and "Runtime.ExitError" in said:
        return "its environment ended"
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        # 502: the pod went while it was given its function; nothing had begun.
        kinds = {429: "throttled", 502: "its start failed", 503: "unavailable"}
        return kinds.get(status, "other")
    if isinstance(error, BotoCoreError):
        return "its gateway ended"
    return "other"
