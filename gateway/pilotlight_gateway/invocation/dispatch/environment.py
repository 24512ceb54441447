"""An execution environment that this gateway holds a lease of.

`queue` hands it to one invocation at a time; this is where an invocation leaves the gateway.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.agent.connection import AgentConnection, connect
from pilotlight.agent.invoke import Permit, invoke
from pilotlight.agent.token import pod_token
from pilotlight.errors import AgentFailedError, ConnectionLostError, NotStartedError
from pilotlight.greedy_dual import Candidate, GreedyDual

if TYPE_CHECKING:
    from pilotlight.agent.invoke import Answer, Invocation
    from pilotlight.claims import Lease

__all__ = ["Environment"]

LEAST_MEGABYTES = 128


@dataclass(slots=True, eq=False)
class Environment:
    """A leased environment and the connection to its agent."""

    lease: Lease
    token: str = field(repr=False)
    gateway: str
    idle_since: float = 0.0
    busy_since: float = 0.0
    ended: bool = False
    """Whether it may never be used again."""
    shed: bool = False
    """Whether it must be given back once it is free."""
    cold_seconds: float = 0.0
    """How long it took to be there: what missing it would cost the next call."""
    uses: int = 0
    """Calls that it answered."""
    megabytes: int = LEAST_MEGABYTES
    clock: float = 0.0
    """Of the ranking, when it was used last."""
    _connection: AgentConnection | None = None

    @classmethod
    def of(
        cls, lease: Lease, platform_key: bytes, gateway: str, *, cold_seconds: float = 0.0
    ) -> Environment:
        """Make one from a lease that was just granted."""
        token = pod_token(platform_key, lease.pod)
        return cls(lease, token, gateway, cold_seconds=cold_seconds)

    def used(self, answer: Answer, ranking: GreedyDual) -> None:
        """Note a call that it answered."""
        self.uses += 1
        self.clock = ranking.clock
        self.ended = self.ended or answer.environment_ended
        if answer.report:
            self.megabytes = answer.report.memory_size_mb

    @property
    def priority(self) -> float:
        """Of several that idle, the one with the lowest goes first where memory is short."""
        candidate = Candidate(self.uses, self.cold_seconds, self.megabytes)
        return GreedyDual(self.clock).priority(candidate)

    async def invoke(self, invocation: Invocation, *, start_within: float) -> Answer:
        """Run an invocation (`pilotlight.agent.invoke`), which may wait so many seconds."""
        connection = await self._connected()
        permit = Permit(
            self.token,
            self.lease.environment,
            f"{self.gateway}/{self.lease.epoch}",
            int((time.time() + start_within) * 1000),
        )
        try:
            return await invoke(connection, invocation, permit)
        except AgentFailedError as error:
            self.ended = True
            raise AgentFailedError(f"pod {self.lease.pod}: {error}") from error
        except (ConnectionLostError, NotStartedError):
            self.ended = True
            raise

    def close(self) -> None:
        """Let go of the agent."""
        self.ended = True
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> AgentConnection:
        if self._connection is None:
            try:
                self._connection = await connect(self.lease.host, self.lease.port)
            except (OSError, TimeoutError) as error:
                self.ended = True
                raise NotStartedError(f"no connection: {error}") from error
        elif not self._connection.open:
            # Agents close no connection while they live.
            self.ended = True
            raise NotStartedError("the agent closed the connection")
        return self._connection
