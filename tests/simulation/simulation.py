"""One seed: fifteen quiet seconds, faults until the sixtieth, then everything must come right.

What must hold: never more run under a cap than may, no environment is let to two, no more pods are
made at once than a node starts, every event that was accepted is carried out, no call fails before
faults begin nor thirty seconds after they ended, and in the end nothing is left that nobody holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pilotlight.agent.invoke import Invocation
from pilotlight.errors import PilotlightError, ThrottledError, UnavailableError
from pilotlight_gateway.event_queue.interface import Event

from .cluster import Cluster, violated
from .database import Database
from .functions import ACCOUNT_LIMIT, CROWD, FUNCTIONS, QUOTA, RESERVED, stored_functions
from .processes import Gateway, Network, Operator, current, revision
from .stand_ins import replaced
from .virtual import Process, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from pilotlight.agent.invoke import Answer

__all__ = ["Outcome", "run"]

BEGIN_SECONDS, QUIET_SECONDS, FAULTY_SECONDS, RECOVERY_SECONDS = 6.0, 15.0, 60.0, 30.0
LAST_CALL = FAULTY_SECONDS + RECOVERY_SECONDS + 10
END_SECONDS = 600.0
"""By then everything has ended, or never will."""
ON_THE_WAY_SECONDS = 1.0
"""What is on the wire at the end is no leak."""
SETTLED_SECONDS = 50.0
"""After the last call nothing is parked any more, nor an orphan."""
BUSY_FROM, CROWDED_AT, CROWDED_CALLS = 9.0, 10.0, 6
MOST_WARM_SECONDS = 0.7
"""A call of a function that is called all the time waits for no pod, whoever wants its room."""
LONG_SHARE, LONG_SECONDS = 0.03, 40.0
"""Some calls under a cap outlast their gateway, their leader and the deletion of their pod."""
HEARTBEAT_SECONDS = 15.0
"""A peer that has said nothing for so long is given up: the heartbeat of the claims' connection."""
FULL = "throttled: Rate Exceeded."
"""What calls hear where as many run as may: those that come while two run."""


@dataclass
class Outcome:
    """What became of a seed."""

    seed: int
    violations: list[str]
    calls: int = 0
    failed: int = 0
    events: int = 0
    trace: list[str] = field(default_factory=list)
    """What happened when, for comparison."""


class Simulation:
    """The world of one seed."""

    def __init__(self, seed: int, fault: str | None) -> None:
        self._only = fault
        self.chance = random.Random(seed)
        limits = {(account, ""): ACCOUNT_LIMIT for account in "abc"} | RESERVED
        for (account, _), reserved in RESERVED.items():
            limits[account, ""] -= reserved
        self.cluster = Cluster(self.chance, limits)
        self.cluster.quotas["c"] = QUOTA
        self.network = Network(self.cluster)
        self.queue = Database(self.chance)
        self.outcome = Outcome(seed, self.cluster.violations)
        self.operators: list[Operator] = []
        self.gateways: list[Gateway] = []
        self._numbers = itertools.count(1)
        self._calls: set[asyncio.Task[None]] = set()
        self._faulty = False

    async def run(self) -> None:
        """Live through it."""
        await self._begin_platform()
        load = [asyncio.create_task(self._call_often(*function)) for function in FUNCTIONS]
        load.append(asyncio.create_task(self._send_events()))
        await self._until(CROWDED_AT)
        self._crowd()
        await self._until(QUIET_SECONDS)
        await self._have_faults()
        await asyncio.gather(*load, *self._calls)
        await self._drain()
        await self._until(max(_now(), LAST_CALL) + SETTLED_SECONDS)
        if list(self._leaks()):
            await asyncio.sleep(ON_THE_WAY_SECONDS)
        for leak in self._leaks():
            violated(self.cluster, leak)

    async def _begin_platform(self) -> None:
        stored = await stored_functions()
        for number in (1, 2):
            operator = Operator(f"op{number}", self.cluster, self.network, stored, ACCOUNT_LIMIT)
            self.operators.append(operator)
            operator.start()
        self.gateways = [self._gateway(), self._gateway()]
        await asyncio.sleep(BEGIN_SECONDS)

    async def _have_faults(self) -> None:
        faults: list[Callable[[], None]] = [
            self._kill_the_leader, self._kill_a_gateway, self._kill_both, self._lose_pods,
            self._change_leaders_slowly, self._storm, self._crowd,
            self.network.cut, self.cluster.break_watches, self.cluster.expire, self._go_away,
            self._be_flaky, self._be_slow, self._fail_pods, self._pause_the_leader,
            self._pause_a_gateway, self._lose_the_database, self._step_a_clock,
            self._wake_after_a_change,
        ]  # fmt: skip
        times = [self.chance.uniform(QUIET_SECONDS, FAULTY_SECONDS - 1) for _ in range(6)]
        for at in sorted(times)[: self.chance.randint(1, 6)]:
            await self._until(at)
            fault = self.chance.choice(faults)
            fault = getattr(self, self._only) if self._only else fault
            self._note(f"fault {fault.__name__}")
            fault()
        await self._until(FAULTY_SECONDS)
        cluster = self.cluster
        cluster.away, cluster.slow, cluster.flaky = False, 0.01, 0.0
        cluster.pod_seconds, cluster.failing_pods = 0.5, 0.0
        self.queue.away = False
        for operator in self.operators:
            operator.process.go_on()
        for gateway in self.gateways:
            gateway.process.go_on()
        self._note("faults end")

    def _kill_the_leader(self) -> None:
        leading = [one for one in self.operators if one.autoscaler is not None]
        operator = self.chance.choice(leading or self.operators)
        operator.kill()
        asyncio.get_running_loop().call_later(self.chance.uniform(0.1, 5), operator.start)

    def _pause_the_leader(self) -> None:
        leading = [one for one in self.operators if one.autoscaler is not None]
        self._pause(self.chance.choice(leading or self.operators).process)

    def _pause_a_gateway(self) -> None:
        self._pause(self.chance.choice(self.gateways).process)

    def _wake_after_a_change(self) -> None:
        """A gateway is silent for so long that the next leader takes its environments over."""
        gateway, loop = self.chance.choice(self.gateways).process, asyncio.get_running_loop()
        gateway.pause()
        self.network.cut(gateway)
        self._kill_the_leader()
        loop.call_later(self.chance.uniform(20, 30), gateway.go_on)

    def _pause(self, process: Process) -> None:
        """It may be for longer than a Lease, and than connections stand without a sign of life."""
        loop, seconds = asyncio.get_running_loop(), self.chance.uniform(0.5, 30)
        process.pause()
        if seconds > HEARTBEAT_SECONDS:
            loop.call_later(HEARTBEAT_SECONDS, self.network.cut, process)
        loop.call_later(seconds, process.go_on)

    def _lose_the_database(self) -> None:
        self.queue.away = True
        self._come_back_later(self.queue)

    def _step_a_clock(self) -> None:
        self.chance.choice(self.gateways).clock_ahead += self.chance.uniform(-5, 5)

    def _kill_a_gateway(self) -> None:
        index = self.chance.randrange(len(self.gateways))
        self.gateways[index].kill()
        self.gateways[index] = self._gateway()

    def _kill_both(self) -> None:
        self._kill_a_gateway()
        self._kill_the_leader()

    def _change_leaders_slowly(self) -> None:
        """While gateways come back at different times, more is asked for than may run."""
        self._be_slow()
        self._kill_the_leader()
        for _ in range(30):
            later = self.chance.uniform(2, 15)
            asyncio.get_running_loop().call_later(later, self._begin_call, "a", "capped")

    def _storm(self) -> None:
        for _ in range(60):
            self._begin_call(*self.chance.choice([("a", "short"), ("b", "long")]))

    def _storm_on_empty_pools(self) -> None:
        """Refills have begun when it comes."""
        for pod in [one for one in self.cluster.pods() if "generic" in one]:
            self.cluster.lose(pod)
        asyncio.get_running_loop().call_later(0.5, self._storm)

    def _crowd(self) -> None:
        for name in CROWD:
            self._begin(self._insist("c", name))

    async def _insist(self, namespace: str, function: str) -> None:
        for _ in range(CROWDED_CALLS):
            if _now() > FAULTY_SECONDS:
                return
            await self._call(namespace, function)
            await asyncio.sleep(self.chance.uniform(0.05, 2.0))

    def _lose_pods(self) -> None:
        there = sorted(self.cluster.pods())
        for pod in self.chance.sample(there, min(len(there), 3)):
            self.cluster.lose(pod)

    def _go_away(self) -> None:
        self.cluster.away = True
        self.cluster.break_watches()
        self._come_back_later(self.cluster)

    def _come_back_later(self, who: Cluster | Database) -> None:
        later = self.chance.uniform(0.5, 20)
        asyncio.get_running_loop().call_later(later, setattr, who, "away", False)  # noqa: FBT003  as setattr takes it

    def _be_flaky(self) -> None:
        self.cluster.flaky = 0.3

    def _be_slow(self) -> None:
        self.cluster.slow, self.cluster.pod_seconds = 2.0, 4.0

    def _fail_pods(self) -> None:
        self.cluster.failing_pods = 0.5

    def _gateway(self) -> Gateway:
        return Gateway(f"g{next(self._numbers)}", self.cluster, self.network, self.queue)

    async def _call_often(self, namespace: str, function: str) -> None:
        while _now() < LAST_CALL:
            crowded = BUSY_FROM < _now() < QUIET_SECONDS
            busy = 0.1 if crowded else 0.7 if _now() < BUSY_FROM else 5.0
            rest = {"rare": 12.0, "long": 2.0, "busy": busy}.get(function, 0.7)
            self._begin_call(namespace, function)
            await asyncio.sleep(self.chance.uniform(0.3, 1.7) * rest)

    def _begin_call(self, namespace: str, function: str) -> None:
        self._begin(self._call(namespace, function))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, namespace: str, function: str) -> None:
        seconds, began = FUNCTIONS.get((namespace, function), 0.5), _now()
        if function == "capped" and self.chance.random() < LONG_SHARE:
            seconds = LONG_SECONDS
        gateway = self._gateway_for(function)
        event = str(seconds).encode()
        invocation = Invocation(f"call-{next(self._numbers)}", "arn", "", event)
        self.outcome.calls += 1
        work = gateway.dispatcher.invoke(revision(namespace, function), invocation)
        call = gateway.process.start(work)
        problem = await _problem(call)
        self._note(f"{function} {invocation.request_id} {problem}")
        waited = _now() - began - seconds
        if function == "busy" and began >= CROWDED_AT and _now() < QUIET_SECONDS:
            self._look_at_wait(waited)
        if problem is None or (function == "capped" and problem == FULL) or function in CROWD:
            return
        self.outcome.failed += 1
        recovered = began >= FAULTY_SECONDS + RECOVERY_SECONDS
        if recovered or _now() < QUIET_SECONDS:
            violated(
                self.cluster, f"a call of {function}, made at {began:.1f} s, failed: {problem}"
            )

    def _gateway_for(self, function: str) -> Gateway:
        """Return one by chance, but by turns for what must be called at each all the time."""
        if function == "busy":
            self.gateways.reverse()
            return self.gateways[0]
        return self.chance.choice(self.gateways)

    def _look_at_wait(self, waited: float) -> None:
        if waited > MOST_WARM_SECONDS:
            violated(self.cluster, f"a call of what is called all the time waited {waited:.1f} s")

    async def _send_events(self) -> None:
        while _now() < FAULTY_SECONDS:
            (namespace, function), seconds = self.chance.choice(list(FUNCTIONS.items())[:4])
            for _ in range(self.chance.choice([1, 1, 6])):
                with contextlib.suppress(UnavailableError):
                    await self.queue.enqueue(self._event(namespace, function, seconds))
                    self.outcome.events += 1
            await asyncio.sleep(self.chance.uniform(2, 8))

    def _event(self, namespace: str, function: str, seconds: float) -> Event:
        return Event(
            id=f"event-{self.outcome.events + 1}", account="0" * 12, namespace=namespace,
            function=function, payload=str(seconds).encode(), enqueued_at=_now(), due_at=_now(),
            expires_at=_now() + 6 * 3600, hold_seconds=40.0,
        )  # fmt: skip

    async def _drain(self) -> None:
        while (await self.queue.counts()).done < self.outcome.events:
            if _now() > END_SECONDS:
                violated(self.cluster, f"events are left: {await self.queue.counts()}")
                return
            await asyncio.sleep(5)
        for number in range(1, self.outcome.events + 1):
            if not self.cluster.executed[f"event-{number}"]:
                violated(self.cluster, f"event-{number} is done and was never carried out")

    def _leaks(self) -> Iterator[str]:
        """Say what is left that nobody holds."""
        leaders = [one for one in self.operators if one.autoscaler is not None]
        if len(leaders) != 1:
            yield f"{len(leaders)} lead in the end"
            return
        autoscaler, compute = leaders[0].autoscaler, leaders[0].compute
        assert autoscaler is not None
        assert compute is not None
        capacity, pools = autoscaler.capacity, autoscaler.pools
        held = {lease.id for one in self.gateways for lease in one.dispatcher.held()}
        granted = {entry.lease.id for entry in capacity._table.entries()}
        if held != granted:
            yield f"{len(granted)} leases are granted, {len(held)} held"
        counted = {key: count for key, count in capacity._limits._unheld.items() if count}
        if counted:
            yield f"counted though nobody holds it: {counted}"
        known = capacity._table.pods() | pools.pods()
        strays = set(self.cluster.pods()) - known - compute._starting.keys() - compute._stopping
        if strays:
            yield f"pods that nobody holds: {sorted(strays)}"
        if gone := known - set(self.cluster.pods()):
            yield f"held, and not there: {sorted(gone)}"

    def _note(self, what: str) -> None:
        self.outcome.trace.append(f"{_now():.3f} {what}")

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - _now()))


async def _problem(call: asyncio.Task[Answer]) -> str | None:
    """Return why a call failed; None where it did not."""
    try:
        answer = await call
    except ThrottledError as error:
        return f"throttled: {error}"
    except PilotlightError as error:
        return f"{type(error).__name__}: {error}"
    except asyncio.CancelledError:
        return "its gateway was killed"
    return answer.function_error


def _now() -> float:
    return asyncio.get_running_loop().time()


def run(
    seed: int,
    fault: str | None = None,
    make: Callable[[int, str | None], Simulation] | None = None,
) -> Outcome:
    """Live through a seed's faults, or, where one is named, that one at the seed's times.

    `make` makes a world of another kind.
    """
    with replaced(seed), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()

        async def live() -> Outcome:
            simulation = (make or Simulation)(seed, fault)
            current.append(simulation.cluster)
            loop.set_exception_handler(lambda _, context: _broken(simulation, context))
            try:
                work = asyncio.create_task(simulation.run())
                hopeless = asyncio.create_task(simulation.cluster.hopeless.wait())
                await asyncio.wait({work, hopeless}, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
            finally:
                current.pop()
                loop.set_exception_handler(lambda *_: None)
                await _end_all()
            return simulation.outcome

        try:
            return runner.run(live())
        except RuntimeError as error:
            return Outcome(seed, [str(error)])


async def _end_all() -> None:
    """Cancel what still goes on, and what that begins: to end takes time, in which more is due."""
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left)


def _broken(simulation: Simulation, context: dict[str, Any]) -> None:
    what = context.get("exception") or context.get("task")
    violated(simulation.cluster, f"{context['message']}: {what!r}")
