"""A compute and agents without processes: pods start when the test says so."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pilotlight.compute import Crowd, Found, Pod, PodRequest
from pilotlight.errors import PodLostError, StartFailedError, ThrottledError
from pilotlight_wire.specialisation import EnvironmentState, PodState, Specialisation, Specialised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.claims import Demand


NO_ROOM = "Rate Exceeded: pod default/pod-1 cannot be scheduled: Insufficient memory"


class FakeCompute:
    """Counts pods; `gate` holds starts back, `failing` makes them fail."""

    def __init__(self) -> None:
        self.pods: set[str] = set()
        self.started = 0
        self.assigned: dict[str, PodRequest] = {}
        self.requests: dict[str, PodRequest] = {}
        """What each pod was asked for that is there, or is being made."""
        self.recipe = ""
        self.going: list[Found] = []
        self.failing = False
        self.lose_next = 0
        """How many pods are deleted before they have started."""
        self.crowded = False
        """Whether no node has room."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.stopping = asyncio.Event()
        self.stopping.set()
        self.tell: Callable[[str], Awaitable[None]] | None = None
        self.make_space: Callable[[Crowd], Awaitable[bool]]
        self.nodes = itertools.cycle([""])
        """Where pods start, one after the other."""
        self._numbers = itertools.count(1)

    async def start(
        self, request: PodRequest, *, seconds: float, demand: Demand | None = None
    ) -> Pod:
        """Start a pod once the gate is open."""
        del demand
        self.started += 1
        kind = "pod" if request.revision else "generic"
        name = f"{request.namespace}/{kind}-{next(self._numbers)}"
        self.requests[name] = request
        async with asyncio.timeout(seconds):
            await self.gate.wait()
        if self.crowded:
            raise ThrottledError(NO_ROOM, reason="ConcurrentInvocationLimitExceeded")
        if self.failing:
            raise StartFailedError("no room", reason="InsufficientCapacity")
        self.lose_next -= 1
        if self.lose_next >= 0:
            raise PodLostError("it was deleted", reason="InternalError")
        self.pods.add(name)
        return Pod(name, "127.0.0.1", 1, next(self.nodes))

    async def assign(self, pod: str, request: PodRequest) -> None:
        """Note whose a pod is."""
        self.assigned[pod] = request

    async def stop(self, pod: str) -> None:
        """Stop a pod once it may."""
        await self.stopping.wait()
        self.pods.discard(pod)
        self.requests.pop(pod, None)

    async def running(self) -> list[str]:
        """Name the pods."""
        return sorted(self.pods)

    def starting(self) -> Counter[tuple[str, str]]:
        """Count what was asked for and is not there."""
        names = self.requests.keys() - self.pods
        return Counter((name.partition("/")[0], "starting") for name in names)

    async def found(self) -> list[Found]:
        """Return all pods, as an earlier leader's."""
        return [self._found(name, request) for name, request in sorted(self.requests.items())]

    async def ending(self) -> list[Found]:
        """Return what is said to go."""
        return self.going

    async def join(self, pod: str, *, seconds: float) -> Pod:
        """Wait for the gate too."""
        async with asyncio.timeout(seconds):
            await self.gate.wait()
        self.pods.add(pod)
        return Pod(pod, "127.0.0.1", 1)

    def _found(self, name: str, request: PodRequest) -> Found:
        place = Pod(name, "127.0.0.1", 1) if name in self.pods else None
        return Found(name, request.runtime, request.revision, place, self.recipe)

    def leave(self) -> None:
        """Pods stay anyway."""

    def give_way(self, quiet: Callable[[], Awaitable[None]]) -> None:
        """Nothing here could wait."""

    def on_crowded(self, make_space: Callable[[Crowd], Awaitable[bool]]) -> None:
        """Keep whom to ask for space."""
        self.make_space = make_space

    def on_gone(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Keep whom to tell."""
        self.tell = tell

    async def lose(self, pod: str) -> None:
        """Let a pod go by itself."""
        self.pods.discard(pod)
        if self.tell is not None:
            await self.tell(pod)


class FakeAgents:
    """Specialises everything, or nothing; `gate` holds it back."""

    def __init__(self) -> None:
        self.failing = False
        self.fail_next = self.lose_next = 0
        self.uninitialisable = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.settling = asyncio.Event()
        self.settling.set()
        self.specialised: list[Specialisation] = []
        self.pods: set[str] = set()
        """Those that were specialised."""
        self.idle: dict[str, str] = {}
        """What runs nothing, and who had it last."""
        self.fenced: dict[str, int] = {}
        """The epochs of which older leases are refused, by pod."""
        self.unfenced: set[str] = set()
        """Those in which something begins to run just when they are to be fenced."""
        self._numbers = itertools.count(1)

    async def specialise(
        self, pod: Pod, specialisation: Specialisation, *, seconds: float
    ) -> Specialised:
        """Answer with one environment."""
        del seconds
        await self.gate.wait()
        self.lose_next -= 1
        if self.lose_next >= 0:
            raise PodLostError("the agent did not answer", reason="InternalError")
        self.fail_next -= 1
        if self.failing or self.fail_next >= 0:
            raise StartFailedError("the package is gone", reason="CodeUnavailable")
        self.specialised.append(specialisation)
        self.pods.add(pod.name)
        identities = (f"{pod.name}-e{number}" for number in range(specialisation.environments))
        return Specialised(
            environments=[EnvironmentState(id=one, state="starting") for one in identities]
        )

    async def fork(self, pod: Pod, *, seconds: float) -> EnvironmentState:
        """Answer with one environment more."""
        del seconds
        self.fail_next -= 1
        if self.failing or self.fail_next >= 0:
            raise StartFailedError("the pod is full", reason="InternalError")
        return EnvironmentState(id=f"{pod.name}-f{next(self._numbers)}", state="starting")

    async def settle(self, pod: Pod, *, seconds: float) -> None:
        """Wait for what initialises."""
        del pod, seconds
        await self.settling.wait()

    async def state(self, pod: Pod, *, seconds: float) -> PodState | None:
        """Tell whether something was specialised in the pod, and that it runs but for `idle`."""
        del seconds
        if pod.name not in self.pods:
            return PodState(state="generic", draining=False, revision="", environments=[])
        holder = self.idle.get(pod.name)
        environment = EnvironmentState(
            id=f"{pod.name}-e0", state="busy" if holder is None else "idle", holder=holder or ""
        )
        revision = self.specialised[-1].revision
        return PodState(
            state="specialised", draining=False, revision=revision, environments=[environment]
        )

    async def fence(self, pod: Pod, epoch: int, *, seconds: float) -> PodState | None:
        """Say how the pod stands, and note the epoch, where nothing runs in it."""
        state = await self.state(pod, seconds=seconds)
        if state is None or state.runs or pod.name in self.unfenced:
            return None
        self.fenced[pod.name] = epoch
        environments = [replace(one, epoch=epoch) for one in state.environments]
        return replace(state, environments=environments)

    async def wait_until_initialised(self, pod: Pod, environment: str, *, seconds: float) -> None:
        """Wait for nothing, or fail."""
        del pod, environment, seconds
        if self.uninitialisable:
            raise StartFailedError("it has ended", reason="FunctionError")
