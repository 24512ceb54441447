"""Faults drawn from a seed, one after the other, beside calls and events whose fate is known.

One half of the events fails on purpose and so ends as dead letters, which can be told by their ids;
the other half succeeds and is counted. Every run tells a probe outside the cluster: what was
accepted and never began is lost, what began twice needs a reason, and a limit is judged by it.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tests.support.cluster import kubectl, node_address, reachable, seconds_until, wait_until
from tests.support.gateway_log import GatewayLog
from tests.support.load import Load
from tests.support.probe import PROBED, Probe
from tests.support.sender import Sender
from tests.support.weather import Watch, accept, call, most_made

from .fault_kinds import THIEF, Faults
from .result import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.support.cluster import Installation
    from tests.support.load import Call

__all__ = ["FUNCTIONS", "run_faults"]

CALLS, CAPPED_CALLS = 5.0, 8.0
"""A second."""
CAP, CAPPED_SECONDS = 3, 0.5
"""More is asked for than may run."""
REST_SECONDS, SHORT_REST_SECONDS = (0.5, 3.0), (0.5, 1.0)
RECOVERY_SECONDS = 60.0
"""After each fault: a leader that is stopped without a word is waited for for fifteen."""
DRAIN_SECONDS = 180.0
"""Until the last event has ended: what failed with its pod is tried again a minute later."""
FRESH_SECONDS = 6.0
"""The age of a Lease that is renewed every four."""
FUNCTIONS: dict[str, dict[str, object]] = {
    "called": {},
    "capped": {"reservedConcurrency": CAP},
    "counted": {"memory": 512},
    "kept": {"memory": 512, "async": {"maximumRetryAttempts": 0}},
}
"""Events come by the hundred: what runs them has more than a fourteenth of a processor."""
NO_RETRIES = {"counted": {"async": {"maximumRetryAttempts": 0}}}
"""Where nobody waits for a minute: what ended with its pod is a dead letter."""
DEAD = "SELECT id FROM events WHERE function IN ('kept', 'counted') AND state = 'dead'"
LEFT = "SELECT count(*) FROM events WHERE function IN ('kept', 'counted') AND state <> 'dead'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'counted'"
DIED = "SELECT count(*) FROM events WHERE function = 'counted' AND state = 'dead'"


@dataclass(frozen=True)
class Seen:
    """What was seen of a run from all sides."""

    probe: Probe
    calls: Load
    capped: Load
    events: Load
    again: GatewayLog
    """What gateways said of events that are worked on again."""


def run_faults(
    platform: Installation, seed: int, count: int, events: float, *, brief: bool = False
) -> Result:
    """Have faults beside so many events a second, and say what held; `brief`: without long ones."""
    faults, drawn = Faults(platform, random.Random(seed), brief), Counter[str]()
    rest = SHORT_REST_SECONDS if brief else REST_SECONDS
    slowest, restless = 0.0, list[str]()
    with (
        _looked_at(platform, events, NO_RETRIES if brief else {}) as seen,
        Watch(platform) as watch,
    ):
        for _ in range(count):
            time.sleep(faults.chance.uniform(*rest))
            fault = faults.draw()
            drawn[fault.__name__] += 1
            sys.stdout.write(f"{time.strftime('%X')} {fault.__name__}\n")
            sys.stdout.flush()
            fault()
            took = seconds_until(lambda: _is_well(platform), RECOVERY_SECONDS)
            slowest = max(slowest, took)
            restless += [] if took <= RECOVERY_SECONDS else [fault.__name__]
    described = ", ".join(f"{name} {times}" for name, times in sorted(drawn.items()))
    load = (
        f"{CALLS:.0f} calls, {CAPPED_CALLS:.0f} of what is capped and {events:.0f} events a second"
    )
    result = Result("faults", f"{count} faults, seed {seed} ({described}), beside {load}.")
    result.promise(
        f"a call, an event and a leader are back within {RECOVERY_SECONDS:.0f} s of each",
        f"within {slowest:.0f} s {restless or ''}".strip(), holds=not restless,
    )  # fmt: skip
    _judge_events(platform, result, seen)
    _judge_calls(result, seen)
    result.promise(
        f"pods are made by {most_made()} at once",
        watch.most_starting,
        holds=watch.most_starting <= most_made(),
    )
    return result


@contextmanager
def _looked_at(
    platform: Installation, per_second: float, changes: Mapping[str, Mapping[str, object]]
) -> Iterator[Seen]:
    """Have functions that tell when they run, and calls and events that are counted."""
    client = platform.client()
    with Probe(node_address()) as probe, closing(Sender(platform)) as sender:
        reachable(platform, probe.place)
        for name, spec in FUNCTIONS.items():
            told, choices = {"PROBE": probe.place}, {**spec, **changes.get(name, {})}
            platform.apply(name, PROBED, environment=told, timeout=10, **choices)
        for name in FUNCTIONS:
            platform.wait_ready(name)
            platform.invoke(name, {"number": 0})

        def send(number: int) -> str:
            name = ("counted", "kept")[number % 2]
            return sender.accept(name, {"number": number, "fail": name == "kept"})

        def call_capped(number: int) -> object:
            return call(client, "capped", number, seconds=CAPPED_SECONDS)

        with (
            Load(lambda number: call(client, "called", number), per_second=CALLS) as calls,
            Load(call_capped, per_second=CAPPED_CALLS) as capped,
            Load(send, per_second=per_second) as events,
            GatewayLog(platform, " again") as again,
        ):
            yield Seen(probe, calls, capped, events, again)
            events.end()
            wait_until(lambda: _has_drained(platform), "every event has ended", DRAIN_SECONDS)


def _is_well(platform: Installation) -> bool:
    client = platform.client()
    try:
        called = call(client, "called", 7) == 7
        return called and bool(accept(client, "called", 7)) and _is_led(platform)
    except (ClientError, BotoCoreError, AssertionError):
        return False


def _has_drained(platform: Installation) -> bool:
    try:
        return int(platform.sql(LEFT)) == 0
    except AssertionError:  # the database is on its way back
        return False


def _is_led(platform: Installation) -> bool:
    """Say whether somebody real renews the Lease: a dead leader's name stays in it for a while."""
    path = "jsonpath={.spec.renewTime}"
    lease = ("get", "lease", platform.release, "-n", platform.namespace)
    renewed = datetime.fromisoformat(kubectl(*lease, "-o", path))
    age = (datetime.now(UTC) - renewed).total_seconds()
    return age < FRESH_SECONDS and platform.leader() not in {"", THIEF}


def _judge_events(platform: Installation, result: Result, seen: Seen) -> None:
    accepted = [one for one in seen.events.calls if one.error is None]
    dead = set(platform.sql(DEAD).split())
    ids = {str(one.answer): one.number for one in accepted}
    lost = [one for one, number in ids.items() if number % 2 and one not in dead]
    lost += [one for one in ids if not seen.probe.runs[one] and one not in dead]
    result.promise(
        "no event that was accepted is lost: each was begun, and those that fail are found by "
        "their ids", f"{len(ids)} accepted, {len(lost)} lost", holds=not lost,
    )  # fmt: skip
    counted = sum(number % 2 == 0 for number in ids.values())
    sent = sum(one.number % 2 == 0 for one in seen.events.calls)
    done, died = int(platform.sql(DONE)), int(platform.sql(DIED))
    result.promise(
        "those that succeed are all done; at most those of which nobody was told come on top",
        f"{counted} accepted of {sent}, {done} done, {died} dead",
        holds=counted <= done + died <= sent,
    )  # fmt: skip
    again = {one for one, times in seen.probe.runs.items() if times > 1}
    silent = again - seen.again.ids
    result.promise(
        "what ran more than once was an event, and a gateway's log says that it is tried again",
        f"{len(again)} of {len(seen.probe.runs)} ran again, {len(silent)} in silence",
        holds=not silent,
    )
    _show(silent)


def _judge_calls(result: Result, seen: Seen) -> None:
    for name, load in (("a call", seen.calls), ("one of what is capped", seen.capped)):
        kinds = Counter(map(_kind, load.failed))
        said = ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items()))
        result.promise(
            f"{name} fails only with what was killed, or is throttled, and says so",
            f"{len(load.failed)} of {len(load.calls)} failed: {said or 'none'}",
            holds=not kinds["other"],
        )
        _show(repr(one.error)[:300] for one in load.failed if _kind(one) == "other")
    most = seen.probe.most["capped"]
    _show([seen.probe.peaks.get("capped", "")] if most > CAP else [])
    result.promise(
        f"never more than {CAP} run of a function that may run {CAP} times, as they tell",
        f"{most} at once", holds=most <= CAP,
    )  # fmt: skip


def _show(some: Iterable[str]) -> None:
    sys.stdout.writelines(f"  {one}\n" for one in itertools.islice(some, 10))


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
