"""The cluster as a model: API server, kubelet and agents, each of which may be slow, fail and lie.

The API server is `tests.support.api_server`; here it answers late, refuses, answers nothing though
it did as asked, and loses watches. The agents hold the probes: what runs at once under each cap,
and who is let into which environment.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pilotlight.agent.invoke import Answer
from pilotlight.errors import (
    AlreadyExistsError,
    ConnectionLostError,
    NotStartedError,
    QuotaExceededError,
    UnavailableError,
)
from pilotlight.storage.kubernetes.api import WatchExpiredError
from pilotlight_autoscaler.creations import PER_NODE
from pilotlight_wire.report import Report
from tests.support.api_server import ApiServer, copied

from .virtual import Process

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from pilotlight.agent.invoke import Invocation, Permit

__all__ = ["Agent", "Cluster", "Environment", "violated"]

MOST_MADE = PER_NODE
"""Pods that may be in creation at once on one node, of whose processors nobody here tells."""
MOST_LEFT = 8
"""And with those that nobody wants any more: the word that they go may be long on its way."""
ENOUGH = 20
"""Violations after which no more are looked for."""
Json = dict[str, Any]


@dataclass
class Environment:
    """Of an agent: whose it was last, and whether it runs something."""

    epoch: int = 0
    gateway: str = ""
    running: bool = False
    tenant: str | None = None
    """Whose first invocation it was; None before that."""


@dataclass
class Agent:
    """A pod's agent."""

    pod: str
    alive: bool = True
    draining: bool = False
    function: tuple[str, str] | None = None
    revision: str = ""
    tenant: str = ""
    """Whom it was specialised for."""
    environments: dict[str, Environment] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[Callable[[], None]] = field(default_factory=list)
    open: bool = True

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return any(one.running for one in self.environments.values())

    def end(self) -> None:
        """Go, with all that runs."""
        if self.alive:
            self.alive = self.open = False
            self.ended.set()
            for listener in self.listeners:
                listener()

    def close(self) -> None:
        """End a connection, which says nothing of the agent."""


class Cluster(ApiServer):
    """API server, node and agents of one seed."""

    def __init__(self, chance: random.Random, limits: dict[tuple[str, str], int]) -> None:
        super().__init__()
        self.chance = chance
        self.limits = limits
        self.slow = 0.01
        """Seconds that a request takes, at the most."""
        self.flaky = 0.0
        """How many requests fail, as a fraction; half of them after they were carried out."""
        self.pod_seconds = 0.5
        self.failing_pods = 0.0
        self.agents: dict[str, Agent] = {}
        """By host."""
        self.violations: list[str] = []
        self.hopeless = asyncio.Event()
        self.executed: Counter[str] = Counter()
        self._running: Counter[tuple[str, str]] = Counter()
        self._making: set[str] = set()
        self._unheard: set[str] = set()
        """What was made though the answer said otherwise: who asked makes another one meanwhile."""
        self._unwanted: set[str] = set()
        """What somebody has asked to delete."""
        self.quotas: dict[str, int] = {}
        """Pods that a namespace may have."""
        self._hosts = 0
        self._work: set[asyncio.Task[None]] = set()

    async def request(self, method: str, path: str, *, body: Any = None, **options: Any) -> Json:
        """Answer as a server does that has its troubles."""
        await Process.check()
        if method == "DELETE":
            self._unwanted.add(path)
        await asyncio.sleep(self.chance.uniform(0, self.slow))
        self._refuse()
        answer = await self._carry_out(method, path, body, options)
        await asyncio.sleep(self.chance.uniform(0, self.slow))
        await Process.check()
        try:
            self._refuse()
        except UnavailableError:
            if method == "POST":
                self._unheard.add(f"{path}/{body['metadata']['name']}")
            raise
        return answer

    async def stream(self, path: str, *, query: Any, seconds: float) -> AsyncGenerator[Json, None]:
        """Stream a watch until it is broken."""
        del seconds
        await Process.check()
        broken, seen = self._broken, int(query["resourceVersion"])
        if self.away:
            raise UnavailableError("the API server is away")
        if seen < self._oldest:
            raise WatchExpiredError("too old")
        while True:
            for version, kind, changed, item in self.history[seen:]:
                seen = version
                if changed.rpartition("/")[0] == path:
                    yield {"type": kind, "object": copied(item)}
            if broken.is_set():
                return
            if seen == self.version:
                self._changed.clear()
                await self._changed.wait()
            await asyncio.sleep(self.chance.uniform(0, self.slow))

    def agent_of(self, pod: str) -> Agent | None:
        """Return the agent of a pod."""
        return next((one for one in self.agents.values() if one.pod == pod), None)

    def pods(self) -> list[str]:
        """Name the pods that nobody deleted."""
        return [
            f"{one['metadata']['namespace']}/{one['metadata']['name']}"
            for path, one in self.objects.items()
            if "/pods/" in path and "deletionTimestamp" not in one["metadata"]
        ]

    def lose(self, pod: str) -> None:
        """Let a pod go with its node: without a word, and at once."""
        path = _path(pod)
        if path in self.objects:
            self._end(path)

    async def invoke(self, agent: Agent, invocation: Invocation, permit: Permit) -> Answer:
        """Run an invocation, if the agent lets it in; what began ends even if its caller went."""
        await Process.check()
        await asyncio.sleep(0.001)
        environment = agent.environments.get(permit.environment)
        if not agent.alive or agent.draining or environment is None:
            raise NotStartedError("the agent is not there")
        self._let_in(agent, environment, permit)
        self._serve_one_tenant(agent, environment, invocation.tenant_id)
        running = self._spawn(self._run(agent, environment, invocation))
        ended = asyncio.ensure_future(agent.ended.wait())
        try:
            await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        await Process.check()
        if not running.done() or not agent.alive:
            raise ConnectionLostError("the agent went away")
        seconds = float(invocation.event)
        return Answer(b"{}", 2, report=Report(seconds * 1000, 1, 128, 64))

    def _let_in(self, agent: Agent, environment: Environment, permit: Permit) -> None:
        gateway, _, number = permit.lease.rpartition("/")
        epoch = int(number)
        if epoch < environment.epoch:
            raise NotStartedError("the lease is older than the newest")
        if epoch == environment.epoch and gateway != environment.gateway:
            violated(self, f"two gateways have a lease of {agent.pod} of epoch {epoch}")
        if environment.running:
            violated(self, f"an environment of {agent.pod} runs two at once")
            raise NotStartedError("the environment runs something")
        environment.epoch, environment.gateway = epoch, gateway

    def _serve_one_tenant(self, agent: Agent, environment: Environment, tenant: str) -> None:
        """Look whose it is; a real agent would refuse another's, and this one is to be misled."""
        if environment.tenant is None:
            environment.tenant = tenant
        if {environment.tenant, agent.tenant} != {tenant}:
            violated(self, f"{agent.pod} of {agent.tenant!r} got an invocation of {tenant!r}")

    async def _run(self, agent: Agent, environment: Environment, invocation: Invocation) -> None:
        assert agent.function is not None
        cap = agent.function if agent.function in self.limits else (agent.function[0], "")
        environment.running = True
        self._running[cap] += 1
        if self._running[cap] > self.limits[cap]:
            violated(self, f"{self._running[cap]} of {cap} run, {self.limits[cap]} may")
        try:
            async with asyncio.timeout(float(invocation.event)):
                await agent.ended.wait()
        except TimeoutError:
            self.executed[invocation.request_id] += 1
        finally:
            self._running[cap] -= 1
            environment.running = False

    def _refuse(self) -> None:
        if self.away or self.chance.random() < self.flaky:
            raise UnavailableError("the API server is away")

    async def _carry_out(self, method: str, path: str, body: Any, options: Json) -> Json:
        pods = path.rpartition("/namespaces/")[2].partition("/")[2]
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise AlreadyExistsError(path)
            if pods == "pods" and self._is_full(path):
                raise QuotaExceededError("exceeded quota")
            made = self.put(path, **body)
            if pods == "pods":
                self._spawn(self._make(path))
            return made
        if method == "DELETE":
            return self._delete(path, at_once="gracePeriodSeconds" in (options.get("query") or {}))
        if method == "PATCH" and pods.startswith("pods/"):
            return self._patch(path, body)
        return await super().request(method, path, body=body)

    def _is_full(self, path: str) -> bool:
        namespace = _name(path).partition("/")[0]
        prefix = f"/api/v1/namespaces/{namespace}/pods/"
        there = sum(one.startswith(prefix) for one in self.objects)
        return namespace in self.quotas and there >= self.quotas[namespace]

    def _patch(self, path: str, body: Json) -> Json:
        if path.endswith("/resize"):
            return {}
        found = self._find(path)
        annotations = found["metadata"].get("annotations", {}) | body["metadata"]["annotations"]
        metadata = {
            **found["metadata"], "labels": body["metadata"]["labels"], "annotations": annotations,
        }  # fmt: skip
        return self.put(path, **{**found, "metadata": metadata})

    def _delete(self, path: str, *, at_once: bool) -> Json:
        found = self._find(path)
        agent = self.agent_of(_name(path))
        if at_once or agent is None:
            self._end(path)
        elif "deletionTimestamp" not in found["metadata"]:
            found["metadata"]["deletionTimestamp"] = "now"
            self.put(path, **found)
            agent.draining = True
            self._spawn(self._drain(path, agent))
        return {}

    async def _drain(self, path: str, agent: Agent) -> None:
        await asyncio.sleep(0.2)
        while agent.busy and agent.alive:  # noqa: ASYNC110  a look costs nothing here
            await asyncio.sleep(0.2)
        self._end(path)

    def _end(self, path: str) -> None:
        self._making.discard(path)
        agent = self.agent_of(_name(path))
        if agent is not None:
            agent.end()
        if path in self.objects:
            self.remove(path)

    async def _make(self, path: str) -> None:
        """Make a pod, as fast as others that are made leave it."""
        self._making.add(path)
        heard = self._making - self._unheard
        if len(heard) > MOST_LEFT or len(heard - self._unwanted) > MOST_MADE:
            violated(self, f"{len(self._making)} pods are made at once")
        try:
            load = 1 + len(self._making) / 4
            await asyncio.sleep(self.pod_seconds * load * self.chance.uniform(0.5, 1.5))
        finally:
            self._making.discard(path)
        found = self.objects.get(path)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        if self.chance.random() < self.failing_pods:
            self.put(path, **{**found, "status": {"phase": "Failed", "reason": "Evicted"}})
            return
        self._hosts += 1
        host = f"10.0.{self._hosts // 250}.{self._hosts % 250}"
        self.agents[host] = Agent(_name(path))
        status = {"podIP": host, "containerStatuses": [{"state": {"running": {}}}]}
        spec = {**found.get("spec", {}), "nodeName": "node"}
        self.put(path, **{**found, "spec": spec, "status": status})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something that belongs to no process of the platform."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def violated(cluster: Cluster, what: str) -> None:
    """Note that something happened that must not."""
    cluster.violations.append(f"{asyncio.get_running_loop().time():.2f} s: {what}")
    if len(cluster.violations) >= ENOUGH:
        cluster.hopeless.set()


def _name(path: str) -> str:
    namespace, _, name = path.rpartition("/namespaces/")[2].partition("/pods/")
    return f"{namespace}/{name}"


def _path(pod: str) -> str:
    namespace, _, name = pod.partition("/")
    return f"/api/v1/namespaces/{namespace}/pods/{name}"
