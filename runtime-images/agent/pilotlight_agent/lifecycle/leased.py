"""What a gateway holds a lease of, and what the pod's table says of it.

An `environment` has a process of its own; a `slot` is one of several in an environment whose
process takes several calls at once. A gateway sees no difference.
"""

import asyncio
from typing import Protocol

from pilotlight_agent.invocations.invocation import Invocation
from pilotlight_wire.protocol import State

_TRANSITIONS = {
    State.STARTING: {State.IDLE, State.BUSY, State.ENDED},
    State.IDLE: {State.BUSY, State.STARTING, State.ENDED},
    State.BUSY: {State.IDLE, State.STARTING, State.ENDED},
    State.ENDED: set[State](),
}


class Leased(Protocol):
    """Runs one invocation at a time for whoever has the lease of the highest epoch."""

    identity: str
    born: int
    """Number of the journal's last event before it."""
    state: State
    epoch: int
    holder: str
    lease: bytes
    """As its holder words it; empty before the first."""
    settled: asyncio.Event
    """Set when the first init phase is over, whatever came of it."""
    gone: asyncio.Event
    """Set when nothing of it runs any more."""

    @property
    def initialised(self) -> bool:
        """Whether its runtime is past the init phase; one that failed rests until it is needed."""

    def start(self) -> None:
        """Begin; called once."""

    def invoke(self, invocation: Invocation) -> None:
        """Run the function once; only while it is starting or idle."""

    async def quiet(self) -> None:
        """Wait until no invocation runs."""

    def end(self) -> None:
        """End, and take no more invocations."""


def changed(before: State, after: State) -> State:
    """Return the new state; raises RuntimeError where it cannot follow."""
    if after not in _TRANSITIONS[before]:
        raise RuntimeError(f"an environment that is {before} cannot become {after}")
    return after
