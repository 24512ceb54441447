"""Pods that somebody left, by what their agents say: is there a function, does it run?"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from pilotlight.claims import Lease, RevisionKey, Start
from pilotlight_wire.protocol import State

if TYPE_CHECKING:
    from pilotlight.agent.client import Agents
    from pilotlight.compute import Found, Pod
    from pilotlight_wire.specialisation import EnvironmentState, PodState

__all__ = ["LeftPods"]

ASK_SECONDS = 2.0
"""How long an agent may take to say how its pod stands."""
IDLE = {State.IDLE, State.STARTING}
"""What runs nothing of anybody's."""


class LeftPods:
    """Asks their agents."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def is_generic(self, pod: Pod) -> bool:
        """Say whether a pod has never had a function."""
        state = await self._state(pod)
        return state is not None and state.is_generic

    async def may_run(self, pod: Pod) -> bool:
        """Say whether something may run in a pod: no where its agent says that nothing does."""
        state = await self._state(pod)
        return state is None or any(one.state == State.BUSY for one in state.environments)

    async def revision_of(self, found: Found) -> RevisionKey:
        """Say whose a pod is: what got its revision a moment ago is not written down yet."""
        if found.revision is not None:
            return found.revision
        state = None if found.pod is None else await self._state(found.pod)
        function, revision = (state.object_name, state.revision) if state else ("", "")
        return RevisionKey(found.name.partition("/")[0], function, revision)

    async def idle_in(self, found: Found) -> list[tuple[str, Lease]]:
        """Return who used each of a pod's environments last and a lease of it, if all of them idle.

        Empty where any runs something, or where nobody can tell.
        """
        if found.pod is None or found.revision is None:
            return []
        state = await self._state(found.pod)
        if state is None or state.draining or state.revision != found.revision.revision:
            return []
        if any(one.state not in IDLE for one in state.environments):
            return []
        return [(one.holder, _lease(found.pod, found.revision, one)) for one in state.environments]

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
