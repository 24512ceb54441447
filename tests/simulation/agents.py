"""What the autoscaler asks of agents, answered by those of the model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pilotlight.errors import StartFailedError
from pilotlight_wire.specialisation import EnvironmentState, PodState, Specialised

from .cluster import Environment
from .virtual import Process

if TYPE_CHECKING:
    from pilotlight.compute import Pod
    from pilotlight_wire.specialisation import Specialisation

    from .cluster import Agent, Cluster

__all__ = ["ModelAgents"]


class ModelAgents:
    """Stands in for `pilotlight.agent.client.Agents`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def specialise(
        self, pod: Pod, specialisation: Specialisation, *, seconds: float
    ) -> Specialised:
        """Give a pod its revision, and start what is wanted."""
        agent = await self._reach(pod, seconds)
        if agent.function is not None:
            raise StartFailedError("it was specialised before", reason="InternalError")
        namespace, _, _ = pod.name.partition("/")
        agent.function = namespace, specialisation.function.name
        agent.tenant = specialisation.function.tenant_id or ""
        agent.revision = specialisation.revision
        started = [
            EnvironmentState(id=f"{pod.name}-{number}", state="starting")
            for number in range(specialisation.environments)
        ]
        agent.environments = {one.id: Environment() for one in started}
        await self._answer()
        return Specialised(environments=started)

    async def fork(self, pod: Pod, *, seconds: float) -> EnvironmentState:
        """Start one environment more."""
        agent = await self._reach(pod, seconds)
        name = f"{pod.name}-{len(agent.environments)}"
        agent.environments[name] = Environment()
        await self._answer()
        return EnvironmentState(id=name, state="starting")

    async def settle(self, pod: Pod, *, seconds: float) -> None:
        """Wait for what initialises."""
        del pod, seconds
        await asyncio.sleep(0.02)

    async def state(self, pod: Pod, *, seconds: float) -> PodState | None:
        """Tell how a pod stands."""
        try:
            agent = await self._reach(pod, seconds)
        except StartFailedError:
            return None
        environments = [
            EnvironmentState(
                id=name,
                state="busy" if one.running else "idle",
                epoch=one.epoch,
                holder=one.gateway,
            )
            for name, one in agent.environments.items()
        ]
        return PodState(
            state="",
            draining=agent.draining,
            revision=agent.revision,
            object_name=agent.function[1] if agent.function else "",
            environments=environments,
        )

    async def fence(self, pod: Pod, epoch: int, *, seconds: float) -> PodState | None:
        """Take no older lease any more, where nothing runs."""
        state = await self.state(pod, seconds=seconds)
        agent = self._cluster.agents.get(pod.host)
        if state is None or agent is None or agent.busy or not agent.alive:
            return None
        for environment in agent.environments.values():
            environment.epoch = max(environment.epoch, epoch)
        return await self.state(pod, seconds=seconds)

    async def wait_until_initialised(self, pod: Pod, environment: str, *, seconds: float) -> None:
        """Wait for an environment's init phase."""
        del environment
        await self._reach(pod, seconds)

    async def _reach(self, pod: Pod, seconds: float) -> Agent:
        del seconds
        await Process.check()
        await asyncio.sleep(self._cluster.chance.uniform(0.001, 0.02))
        agent = self._cluster.agents.get(pod.host)
        if agent is None or not agent.alive:
            raise StartFailedError(f"{pod.name} does not answer", reason="InternalError")
        return agent

    async def _answer(self) -> None:
        await Process.check()
        if self._cluster.chance.random() < self._cluster.flaky:
            raise StartFailedError("the answer was lost", reason="InternalError")
