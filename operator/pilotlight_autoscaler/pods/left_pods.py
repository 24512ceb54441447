"""Pods that somebody left, by what their agents say: is there a function, does it run?"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.claims import Lease, RevisionKey, Start
from pilotlight_wire.protocol import State

if TYPE_CHECKING:
    from pilotlight.agent.client import Agents
    from pilotlight.compute import Found, Pod
    from pilotlight_wire.specialisation import EnvironmentState, PodState

__all__ = ["LeftPod", "LeftPods"]

ASK_SECONDS = 2.0
"""How long an agent may take to say how its pod stands."""
IDLE = {State.IDLE, State.STARTING}
"""What runs nothing of anybody's."""


@dataclass(frozen=True, slots=True)
class LeftPod:
    """A pod, by what is written down of it and by its agent's word."""

    found: Found
    state: PodState | None
    """None where its agent says nothing, or there is none yet."""

    @property
    def is_generic(self) -> bool:
        """Whether it has never had a function."""
        return self.state is not None and self.state.is_generic

    @property
    def may_run(self) -> bool:
        """Whether something may run in it: not where its agent says that nothing does."""
        return self.state is None or self.state.runs

    @property
    def revision(self) -> RevisionKey:
        """Whose it is: what got its revision a moment ago is not written down yet."""
        if self.found.revision is not None:
            return self.found.revision
        function, revision = (
            (self.state.object_name, self.state.revision) if self.state else ("", "")
        )
        return RevisionKey(self.found.name.partition("/")[0], function, revision)

    def idle(self) -> list[tuple[str, Lease]]:
        """Return who used each of its environments last and a lease of it, if all of them idle.

        Empty where any runs something, or where nobody can tell.
        """
        pod, revision, state = self.found.pod, self.found.revision, self.state
        if pod is None or revision is None or state is None:
            return []
        if state.draining or state.revision != revision.revision:
            return []
        if any(one.state not in IDLE for one in state.environments):
            return []
        return [(one.holder, _lease(pod, revision, one)) for one in state.environments]


class LeftPods:
    """Asks their agents."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def ask(self, found: Found) -> LeftPod:
        """Ask a pod's agent, once."""
        return LeftPod(found, None if found.pod is None else await self._state(found.pod))

    async def fence(self, found: Found, epoch: int, *, seconds: float = ASK_SECONDS) -> LeftPod:
        """Have its older leases end; nobody calls it then who does not get it anew."""
        if found.pod is None:
            return LeftPod(found, None)
        return LeftPod(found, await self._agents.fence(found.pod, epoch, seconds=seconds))

    async def end_leases(self, pod: Pod, epoch: int) -> bool:
        """Have the leases of a pod end that is to be stopped; says whether something may run in it.

        Where nothing does, nothing will: a request that its gateway sent and gave up, and that is
        still on its way, has a lease of an older epoch.
        """
        state = await self._agents.fence(pod, epoch, seconds=ASK_SECONDS)
        return state is None or state.runs

    async def _state(self, pod: Pod) -> PodState | None:
        return await self._agents.state(pod, seconds=ASK_SECONDS)


def _lease(pod: Pod, revision: RevisionKey, environment: EnvironmentState) -> Lease:
    """Return the lease of an environment that nobody holds."""
    return Lease(
        id=str(uuid.uuid4()),
        revision=revision,
        environment=environment.id,
        pod=pod.name,
        host=pod.host,
        port=pod.port,
        epoch=environment.epoch,
        start=Start("recalled"),
    )
