"""What an agent tells unasked: `GET /v1/events`, chunked, one JSON object a line.

The agent's `journal` writes them without building documents, since every line of a function's is
one; the platform reads them as `Event`.
"""

from enum import StrEnum
from typing import TypedDict

AFTER = "after"
"""The query's field: the sequence number of the last event that the reader has."""
ENVIRONMENT = "environment"
"""The query's field: whose events the reader wants, beside those of the whole pod; all of them
where it is missing."""


class EventType(StrEnum):
    """What an event is about."""

    LOG = "log"
    """A line that a function printed."""
    PLATFORM = "platform"
    """A line of ours in the function's log."""
    STATE = "state"
    """An environment is in another state."""
    EXIT = "exit"
    """A runtime process has ended by itself."""
    ZYGOTE = "zygote"
    """What environments are forked from is ready, has ended or has failed."""
    DROPPED = "dropped"
    """The reader was too slow."""


class Event(TypedDict, total=False):
    """One event: `type` always, `seq` and `time` of all but `dropped`, the rest by type."""

    seq: int
    time: str
    """ISO 8601, UTC, milliseconds."""
    type: str
    """An `EventType`."""
    environment: str
    requestId: str
    logStream: str
    line: str
    """Of `log` and `platform`."""
    state: str
    """Of `state` and `zygote`."""
    reason: str
    """Of `zygote`."""
    code: int
    """Of `exit`: an exit code, or a negative signal number."""
    count: int
    """Of `dropped`: events."""
    bytes: int
    """Of `dropped`."""
