"""How the agent speaks with a runtime process, whatever the runtime's own protocol is.

`frames` does it for managed Python, `runtime_api` for every runtime that brings its own
bootstrap; a family knows which.
"""

from typing import Protocol

from pilotlight_agent.invocations.invocation import Invocation, Result


class Listener(Protocol):
    """Hears what a runtime process has to say."""

    def on_ready(self) -> None:
        """Learn that it has initialised and waits for its first event."""

    def on_init_error(self, error_type: str, body: bytes) -> None:
        """Learn that it could not initialise; `body` is its own error document."""

    def on_result(self, request_id: str, result: Result) -> None:
        """Learn what it answered."""


class Link(Protocol):
    """The agent's end of the conversation with one runtime process."""

    @property
    def taken(self) -> bool:
        """Whether the runtime has the event that was delivered last."""

    def deliver(self, invocation: Invocation) -> None:
        """Hand the runtime an event, now or as soon as it asks for one."""

    def withdraw(self, invocation: Invocation) -> bool:
        """Expect no answer to an event any more; True where the runtime has not got it."""

    def catch_up(self) -> bool:
        """Hear what the runtime said before its end; says whether there may be more soon."""

    def close(self) -> None:
        """End the conversation; the listener hears nothing any more."""
