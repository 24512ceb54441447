"""An execution environment that this gateway holds a lease of.

`queue` hands it to one invocation at a time; this is where an invocation leaves the gateway.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.agent.protocol import Report, pod_token
from pilotlight.greedy_dual import Candidate
from pilotlight_gateway.invocation.invocation import Answer

from .agent_connection import AgentAnswer, AgentConnection, ConnectionLostError, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.claims import Lease
    from pilotlight.greedy_dual import GreedyDual
    from pilotlight_gateway.invocation.invocation import Invocation

__all__ = ["Environment", "NotStartedError"]

OK = 200
LEAST_MEGABYTES = 128
SMALL = 1 << 18
"""Bytes up to which an answer is handed on whole: one write instead of many."""


class NotStartedError(Exception):
    """The agent could not be reached or refused the lease: nothing ran, go elsewhere."""


@dataclass(slots=True, eq=False)
class Environment:
    """A leased environment and the connection to its agent."""

    lease: Lease
    token: str = field(repr=False)
    gateway: str
    idle_since: float = 0.0
    ended: bool = False
    """Whether it may never be used again."""
    shed: bool = False
    """Whether it must be given back once it is free."""
    cold_seconds: float = 0.0
    """How long it took to be there: what missing it would cost the next call."""
    uses: int = 0
    """Calls that it answered."""
    priority: float = 0.0
    """Of several that idle, the one with the lowest goes first where memory is short."""
    _connection: AgentConnection | None = None

    @classmethod
    def of(
        cls, lease: Lease, platform_key: bytes, gateway: str, *, cold_seconds: float = 0.0
    ) -> Environment:
        """Make one from a lease that was just granted."""
        token = pod_token(platform_key, lease.pod)
        return cls(lease, token, gateway, cold_seconds=cold_seconds)

    def used(self, report: Report | None, ranking: GreedyDual) -> None:
        """Rank it after a call that it answered."""
        self.uses += 1
        megabytes = report.memory_size_mb if report else LEAST_MEGABYTES
        self.priority = ranking.priority(Candidate(self.uses, self.cold_seconds, megabytes))

    async def invoke(self, invocation: Invocation, *, start_within: float) -> Answer:
        """Run an invocation; raises NotStartedError, or ConnectionLostError once it may run."""
        connection = await self._connected()
        deadline_ms = int((time.time() + start_within) * 1000)
        lease = f"{self.gateway}/{self.lease.epoch}"
        head = invocation.head(
            connection.host, self.token, self.lease.environment, lease, deadline_ms
        )
        try:
            answer = await connection.exchange(head, invocation.event)
        except ConnectionLostError:
            self.ended = True
            raise
        if answer.status != OK:
            self.ended = True
            reason = (await connection.read(answer)).decode(errors="replace")
            raise NotStartedError(f"{self.lease.pod}: {reason}")
        return await self._answer(connection, answer)

    def close(self) -> None:
        """Let go of the agent."""
        self.ended = True
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> AgentConnection:
        if self._connection is None or not self._connection.open:
            if self._connection is not None:
                # Agents close no connection while they live.
                self.ended = True
                raise NotStartedError(f"{self.lease.pod}: the agent closed the connection")
            try:
                self._connection = await connect(self.lease.host, self.lease.port)
            except (OSError, TimeoutError) as error:
                self.ended = True
                raise NotStartedError(f"{self.lease.pod}: {error}") from error
        return self._connection

    async def _answer(self, connection: AgentConnection, answer: AgentAnswer) -> Answer:
        headers = answer.headers
        if headers.get("pilotlight-environment-state") == "ended":
            self.ended = True
        body: bytes | AsyncIterator[bytes] = connection.stream(answer)
        if answer.length <= SMALL:
            body = await connection.read(answer)
        report = headers.get("pilotlight-report")
        return Answer(
            body=body,
            length=answer.length,
            function_error=headers.get("pilotlight-function-error"),
            log_tail=headers.get("pilotlight-log-tail"),
            report=Report.model_validate_json(report) if report else None,
        )
