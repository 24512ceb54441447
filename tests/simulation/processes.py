"""Operators and gateways of real parts, and the wire between them, which may be cut."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, cast

import aiohttp
from aiohttp import WSMessage, WSMsgType
from prometheus_client import CollectorRegistry

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.claims import RevisionKey
from pilotlight.claims_protocol import WITHDRAWS
from pilotlight.errors import PilotlightError
from pilotlight.resources import (
    AsyncConfig,
    Function,
    FunctionAlias,
    FunctionVersion,
    Key,
    Namespace,
    Runtime,
)
from pilotlight.storage.kubernetes.lease import KubernetesLease
from pilotlight_autoscaler.autoscaler import Autoscaler, AutoscalerSettings
from pilotlight_autoscaler.claims.server import ClaimsServer
from pilotlight_autoscaler.pools.decide import PoolSpec
from pilotlight_gateway.events.dispatcher import EventDispatcher
from pilotlight_gateway.events.metrics import EventMetrics
from pilotlight_gateway.events.pace import Pace
from pilotlight_gateway.invocation import claims_client
from pilotlight_gateway.invocation.claims_client import ClaimsClient
from pilotlight_gateway.invocation.cold_starts import ColdStarts
from pilotlight_gateway.invocation.dispatch.dispatcher import Dispatcher
from pilotlight_gateway.settings import Settings
from pilotlight_operator.leadership import Leadership
from pilotlight_operator.manifests.pod import PodSettings
from pilotlight_operator.storage.pods import KubernetesCompute
from tests.support.memory import MemoryArtifacts, MemoryResources

from .agents import ModelAgents
from .virtual import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.agent.client import Agents
    from pilotlight.agent.invoke import Answer, Invocation
    from pilotlight.storage.kubernetes.api import KubernetesApi
    from pilotlight_gateway.invocation.dispatch.environment import Environment
    from tests.support.memory_event_queue import MemoryEventQueue

    from .cluster import Agent, Cluster

__all__ = ["Gateway", "Network", "Operator", "Reader"]

KEY = b"platform key"
LATENCY = 0.002


class _End:
    """One end of a connection; what is sent arrives in order, unless it was cut before."""

    protocol = WITHDRAWS

    def __init__(self, owner: Process) -> None:
        self.owner = owner
        self.closed = False
        self.other: _End
        self._sent: deque[WSMessage] = deque()
        self._come: asyncio.Queue[WSMessage | None] = asyncio.Queue()

    def __aiter__(self) -> Self:
        """Read what comes."""
        return self

    async def __anext__(self) -> WSMessage:
        """Return the next message."""
        message = await self._come.get()
        if message is None:
            raise StopAsyncIteration
        return message

    async def send_str(self, data: str) -> None:
        """Send a message."""
        await Process.check()
        if self.closed:
            raise ConnectionResetError("the connection was cut")
        self._sent.append(WSMessage(WSMsgType.TEXT, data, None))
        asyncio.get_running_loop().call_later(LATENCY, self._arrive)

    def _arrive(self) -> None:
        """Let the message arrive that was sent first: timers of one moment have no order."""
        message = self._sent.popleft()
        if not self.other.closed:
            self.other._come.put_nowait(message)

    async def close(self) -> None:
        """End the connection in order."""
        self.cut()

    def cut(self) -> None:
        """End both directions now."""
        for end in (self, self.other):
            if not end.closed:
                end.closed = True
                end._come.put_nowait(None)


@dataclass
class Network:
    """Who can be reached where."""

    cluster: Cluster

    def __post_init__(self) -> None:
        self.leaders: dict[str, tuple[Process, ClaimsServer]] = {}
        self.connections: list[_End] = []

    async def ws_connect(self, url: str, **_: object) -> _End:
        """Connect a gateway to whoever serves claims at an address (aiohttp's name)."""
        await asyncio.sleep(LATENCY)
        address = url.removeprefix("http://").partition("/")[0]
        found = self.leaders.get(address)
        if found is None or not found[0].alive:
            raise aiohttp.ClientConnectionError(f"nobody is at {address}")
        operator, server = found
        near, far = _End(operator), _End(operator)
        near.other, far.other = far, near
        self.connections = [one for one in self.connections if not one.closed] + [near]
        operator.start(server.serve(cast("Any", far)))
        return near

    def cut(self, process: Process | None = None) -> None:
        """Cut the connections of a process, or all."""
        for end in self.connections:
            if process in {None, end.owner, end.other.owner}:
                end.cut()


class Operator:
    """An operator process, which stands by, leads, and begins anew when it lost the Lease."""

    def __init__(
        self,
        name: str,
        cluster: Cluster,
        network: Network,
        stored: MemoryResources,
        account_limit: int,
    ) -> None:
        self.address = f"{name}:1"
        self.autoscaler: Autoscaler | None = None
        self.compute: KubernetesCompute | None = None
        self._name, self._cluster, self._network = name, cluster, network
        self._stored, self._account_limit = stored, account_limit
        self.process = Process(name)

    def start(self) -> None:
        """Begin, or begin anew."""
        self.kill()
        self.process = Process(self._name)
        self.process.start(self._run())

    def kill(self) -> None:
        """End it at once."""
        self.autoscaler = None
        self._network.leaders.pop(self.address, None)
        self.process.kill()
        self._network.cut(self.process)

    async def _run(self) -> None:
        api = cast("KubernetesApi", self._cluster)
        leadership = Leadership(KubernetesLease(api, "release", "operator"), self.address)
        generation = await leadership.acquire()
        self._lead(api, generation)
        await leadership.hold()
        asyncio.get_running_loop().call_soon(self.start)

    def _lead(self, api: KubernetesApi, generation: int) -> None:
        cache = Cache(self._stored, Namespace, Runtime, Function, FunctionVersion, FunctionAlias)
        self.compute = KubernetesCompute(api, self._stored, ["a", "b", "c"], KEY, PodSettings())
        autoscaler = Autoscaler(
            AutoscalerSettings(
                platform_key=KEY,
                region="us-east-1",
                artifact_url="http://g/{sha256}",
                account_limit=self._account_limit,
                generation=generation,
                compiles=_never,
            ),
            compute=self.compute,
            cache=cache,
            artifacts=MemoryArtifacts(),
            accounts=Accounts(cache),
            pool_spec=_pool_spec,
            agents=cast("Agents", ModelAgents(self._cluster)),
        )
        for work in (self.compute.run(), cache.run()):
            self.process.start(work)
        autoscaler.start()
        server = ClaimsServer(
            autoscaler.capacity, autoscaler.caps, autoscaler.acknowledgements, KEY
        )
        server.begin()
        self.autoscaler = autoscaler
        self._network.leaders[self.address] = self.process, server


class Gateway:
    """A gateway process: its claims, its environments and its share of the events."""

    def __init__(
        self, name: str, cluster: Cluster, network: Network, queue: MemoryEventQueue
    ) -> None:
        self.name = name
        self.process = Process(name)
        self.clock_ahead = 0.0
        """By how many seconds its clock on the wall is wrong."""
        self._cluster, self._network = cluster, network
        self._client = ClaimsClient(self._find_leader, KEY, name)
        self.dispatcher = Dispatcher(
            self._client, KEY, cast("Any", None), ColdStarts(CollectorRegistry()), gateway=name
        )
        self._client.bind(self.dispatcher)
        events = EventDispatcher(
            invoker=cast("Any", self), targets=cast("Any", _Targets()), queue=queue,
            metrics=EventMetrics(CollectorRegistry()), settings=Settings("us-east-1", KEY),
            credentials=cast("Any", None), pace=Pace(lambda: 0),
            clock=self._time,
        )  # fmt: skip
        for work in (self._connect(), self.dispatcher.run(), events.run()):
            self.process.start(work)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self._network.cut(self.process)

    async def invoke(self, reference: Any, invocation: Invocation, target: Any = None) -> Answer:
        """Invoke a function, as `Invoker` does once it knows the revision."""
        del target
        return await self.dispatcher.invoke(
            revision(reference.namespace, reference.name), invocation
        )

    def _time(self) -> float:
        return asyncio.get_running_loop().time() + self.clock_ahead

    async def _connect(self) -> None:
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError, PilotlightError):
                await self._client._follow(cast("Any", self))
            await asyncio.sleep(claims_client.RECONNECT_SECONDS)

    async def ws_connect(self, url: str, **options: object) -> _End:
        """Connect to a leader, as an aiohttp session does."""
        end = await self._network.ws_connect(url, **options)
        end.owner = self.process
        return end

    async def _find_leader(self) -> str | None:
        api = cast("KubernetesApi", self._cluster)
        return (await KubernetesLease(api, "release", "operator").read()).holder or None


class _Targets:
    """Functions that are there, whatever is asked for."""

    async def find(self, reference: Any) -> Any:
        """Return what a reference means."""
        del reference
        spec = SimpleNamespace(reserved_concurrency=None, dead_letter_target=None)
        return SimpleNamespace(function=SimpleNamespace(spec=spec), timeout=10)

    async def async_config(self, reference: Any, target: Any) -> AsyncConfig:
        """Return Lambda's defaults."""
        del reference, target
        return AsyncConfig()


class Reader:
    """Hears when an agent goes, as `EventReader` does."""

    def __init__(self, agent: Agent, gone: Callable[[], None]) -> None:
        self._agent, self._gone = agent, gone

    @classmethod
    def start(
        cls,
        environment: Environment,
        sink: object,
        on_end: Callable[[Environment], None],
        after: int = 0,
    ) -> Reader:
        """Listen until it goes or is finished."""
        del sink, after
        agent = _cluster().agents[environment.lease.host]
        loop = asyncio.get_running_loop()
        reader = cls(agent, lambda: loop.call_later(0.05, on_end, environment))  # type: ignore[arg-type]  # nobody looks
        agent.listeners.append(reader._tell)
        if not agent.alive:
            reader._tell()
        return reader

    def _tell(self) -> None:
        self._gone()

    def stop(self) -> int:
        """Listen no longer, to be replaced by another."""
        self.finish()
        return 0

    def finish(self) -> None:
        """Listen no longer."""
        if self._tell in self._agent.listeners:
            self._agent.listeners.remove(self._tell)


def revision(namespace: str, function: str) -> RevisionKey:
    """Return the one revision of a function."""
    return RevisionKey(*Key(namespace, function), "1" * 16)


async def _pool_spec(runtime: str) -> PoolSpec:
    del runtime
    return PoolSpec(minimum=1, maximum=3, recipe="now")


def _never(runtime: str) -> bool:
    del runtime
    return False


current: list[Cluster] = []
"""The cluster of the seed that runs: what stands in for modules' functions asks for it."""


def _cluster() -> Cluster:
    return current[-1]
