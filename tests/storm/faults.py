"""Faults drawn from a seed, one after the other, beside calls and events whose fate is known.

One half of the events fails on purpose and so ends as dead letters, which can be told by their ids;
the other half succeeds and is counted. What was accepted and is in neither ledger is lost.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.support.cluster import kubectl, wait_until
from tests.support.load import Load
from tests.support.node_processes import kill_together, processes
from tests.support.weather import SOURCE, Watch, accept, call

from .result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.cluster import Installation
    from tests.support.load import Call

__all__ = ["run_faults"]

CALLS, EVENTS = 5.0, 10.0
"""A second; of the events half fail on purpose."""
REST_SECONDS = (2.0, 6.0)
RECOVERY_SECONDS = 60.0
"""After each fault: a leader that is stopped without a word is waited for for fifteen."""
PAUSE_SECONDS = {"gateway": 5.0, "operator": 20.0, "agent": 3.0, "postgresql": 8.0}
FRESH_SECONDS = 6.0
"""The age of a Lease that is renewed every four."""
THIEF = "thief:1"
FAILING = """
def handler(event, context):
    raise ValueError(event.get("number"))
"""
KEPT = "SELECT id FROM events WHERE function = 'kept' AND state = 'dead'"
LEFT = "SELECT count(*) FROM events WHERE function IN ('kept', 'counted') AND state <> 'dead'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'counted'"


@dataclass
class Faults:
    """What can befall an installation."""

    platform: Installation
    chance: random.Random

    def kill_a_gateway(self) -> None:
        """As the kernel does that is out of memory."""
        self._signal("gateway", signal.SIGKILL)

    def pause_a_gateway(self) -> None:
        """It answers nobody, and goes on."""
        with self._paused("gateway"):
            pass

    def kill_the_leader(self) -> None:
        """Its container starts anew; the standby leads by then."""
        os.kill(self._leader(), signal.SIGKILL)

    def pause_the_leader(self) -> None:
        """For longer than its Lease: another one leads, and it must not when it wakes."""
        pid = self._leader()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS["operator"])
        os.kill(pid, signal.SIGCONT)

    def kill_an_agent(self) -> None:
        """With what it runs."""
        kill_together(self._function_pod()["metadata"]["uid"])

    def pause_an_agent(self) -> None:
        """It and its runtime stand still."""
        pids = processes(self._function_pod()["metadata"]["uid"])
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS["agent"])
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill_a_runtime(self) -> None:
        """The newest process of a pod: an environment, not its agent."""
        pids = processes(self._function_pod()["metadata"]["uid"])
        os.kill(pids[-1], signal.SIGKILL)

    def kill_postgresql(self) -> None:
        """Every process of the server at once."""
        for pid in self._postgresql():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pause_postgresql(self) -> None:
        """Connections stay open, and nothing is answered."""
        pids = self._postgresql()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS["postgresql"])
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def delete_function_pods(self) -> None:
        """All of them, behind the platform's back, without any grace."""
        kubectl(
            *("delete", "pods", "-n", self.platform.account, "--wait=false"),
            *("-l", "app.kubernetes.io/managed-by=pilotlight", "--force", "--grace-period=0"),
        )

    def delete_a_gateway(self) -> None:
        """As a node that is drained."""
        name = self._pod("gateway")["metadata"]["name"]
        kubectl("delete", "pod", name, "-n", self.platform.namespace, "--wait=false")

    def steal_the_lease(self) -> None:
        """Somebody else writes himself into it and is never heard of again."""
        patch = json.dumps({"spec": {"holderIdentity": THIEF}})
        kubectl(
            *("patch", "lease", self.platform.release, "-n", self.platform.namespace),
            *("--type=merge", "-p", patch),
        )

    def draw(self) -> Callable[[], None]:
        """Choose one."""
        names = sorted(
            name for name in vars(type(self)) if name.startswith(("kill", "pause", "del", "steal"))
        )
        drawn: Callable[[], None] = getattr(self, self.chance.choice(names))
        return drawn

    def _leader(self) -> int:
        wait_until(lambda: bool(self._leaders()), "the leader runs")
        return self._leaders()[0]

    def _leaders(self) -> list[int]:
        host = self.platform.leader().partition(":")[0]
        pods = [one for one in self._pods("operator") if one["status"].get("podIP") == host]
        return [pid for pod in pods for pid in processes(pod["metadata"]["uid"])[:1]]

    def _postgresql(self) -> list[int]:
        pid = self._pod("postgresql")["metadata"]["uid"]
        return processes(pid, "postgres")

    def _function_pod(self) -> dict[str, Any]:
        wait_until(lambda: bool(self.platform.pods("called")), "a pod is there")
        return self.chance.choice(self.platform.pods("called"))

    def _pod(self, component: str) -> dict[str, Any]:
        return self.chance.choice(self._pods(component))

    def _pods(self, component: str) -> list[dict[str, Any]]:
        selector = f"app.kubernetes.io/component={component}"
        found = kubectl("get", "pods", "-n", self.platform.namespace, "-l", selector, "-o", "json")
        pods: list[dict[str, Any]] = json.loads(found)["items"]
        return [one for one in pods if "deletionTimestamp" not in one["metadata"]]

    def _signal(self, component: str, number: signal.Signals) -> int:
        wait_until(lambda: bool(self._processes(component)), f"a {component} runs")
        pid = self.chance.choice(self._processes(component))
        os.kill(pid, number)
        return pid

    def _processes(self, component: str) -> list[int]:
        """Return the first process of each of a component's pods."""
        pods = self._pods(component)
        return [pid for pod in pods for pid in processes(pod["metadata"]["uid"])[:1]]

    @contextmanager
    def _paused(self, component: str) -> Iterator[None]:
        pid = self._signal(component, signal.SIGSTOP)
        try:
            yield
            time.sleep(PAUSE_SECONDS[component])
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


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
            took = _recovers(platform)
            slowest = max(slowest, took or RECOVERY_SECONDS)
            restless += [] if took is not None else [fault.__name__]
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


def _recovers(platform: Installation) -> float | None:
    """Return after how many seconds all is well; None where it is not in time."""
    began = time.monotonic()
    try:
        wait_until(lambda: _is_well(platform), "all is well", RECOVERY_SECONDS)
    except AssertionError:
        return None
    return time.monotonic() - began


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
