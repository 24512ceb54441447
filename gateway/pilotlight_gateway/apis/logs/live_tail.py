"""StartLiveTail: lines of groups as they come, for as long as the client listens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pilotlight.errors import UnavailableError
from pilotlight.storage.interfaces import LAST_ID
from pilotlight_gateway.event_stream import CONTENT_TYPE, event_frame
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.identifiers import new_request_id
from pilotlight_gateway.logs.filter_pattern import compile_filter
from pilotlight_gateway.logs.reading import Wanted, read_first, read_last

from .errors import InvalidParameterError, NotFoundError
from .finding import arn_of, name_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.storage import LogLine
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.logs.filter_pattern import Filter
    from pilotlight_gateway.logs.groups import Group
    from pilotlight_gateway.services import Services

__all__ = ["start_live_tail"]

LONGEST_SECONDS = 3 * 3600.0
UPDATE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""For the last update."""
MOST_LINES = 500
"""Of an update; more are left out, and it says so."""


async def start_live_tail(services: Services, call: Call) -> Reply:
    """Begin to send what comes."""
    groups = [_find(services, call, one) for one in call.input["logGroupIdentifiers"]]
    names_streams = {"logStreamNames", "logStreamNamePrefixes"} & call.input.keys()
    if len(groups) > 1 and names_streams:
        raise InvalidParameterError("Log streams can be named for one log group only.")
    matches = compile_filter(call.input.get("logEventFilterPattern", ""))
    tails = [_Tail(services, call, group, matches) for group in groups]
    for tail in tails:
        await tail.begin()
    seconds = LONGEST_SECONDS + UPDATE_SECONDS + PATIENCE_SECONDS
    return Reply(200, _session(call, tails), content_type=CONTENT_TYPE, seconds=seconds)


def _find(services: Services, call: Call, identifier: str) -> Group:
    if not identifier.startswith("arn:"):
        raise InvalidParameterError(f"logGroupIdentifiers: {identifier!r} is no ARN.")
    name = name_of(services, call, identifier)
    found = services.log_groups.get(call.caller.namespace, name)
    if found is None:
        raise NotFoundError("The specified log group does not exist.")
    return found


async def _session(call: Call, tails: list[_Tail]) -> AsyncIterator[bytes]:
    yield event_frame("initial-response", {})
    session = {"requestId": call.request_id, "sessionId": new_request_id()} | call.input
    yield event_frame("sessionStart", session)
    clock = asyncio.get_running_loop().time
    end = clock() + LONGEST_SECONDS
    while clock() < end:
        await asyncio.sleep(UPDATE_SECONDS)
        results = [event for tail in tails for event in await tail.news()]
        sampled = len(results) > MOST_LINES
        update = {"sessionMetadata": {"sampled": sampled}, "sessionResults": results[:MOST_LINES]}
        yield event_frame("sessionUpdate", update)
    yield event_frame("SessionTimeoutException", {"message": "The session has lasted three hours."})


class _Tail:
    """The end of one group."""

    def __init__(self, services: Services, call: Call, group: Group, matches: Filter) -> None:
        self._logs, self._group, self._matches = services.logs, group, matches
        self._identifier = arn_of(services, call, group.name)
        self._names = call.input.get("logStreamNames")
        self._prefixes = tuple(call.input.get("logStreamNamePrefixes", [""]))
        self._after = 0

    async def begin(self) -> None:
        """Go to the end of what is there."""
        last = await read_last(self._logs, self._group, Wanted(), before=LAST_ID, limit=1)
        self._after = last[-1].id if last else 0

    async def news(self) -> list[dict[str, Any]]:
        """Return what came since, as events; nothing while the store is away."""
        try:
            lines = await read_first(
                self._logs, self._group, Wanted(), after=self._after, limit=MOST_LINES + 1
            )
        except UnavailableError:
            return []
        self._after = lines[-1].id if lines else self._after
        return [self._event(line) for line in lines if self._is_wanted(line)]

    def _is_wanted(self, line: LogLine) -> bool:
        named = self._names is None or line.stream in self._names
        return named and line.stream.startswith(self._prefixes) and self._matches(line.message)

    def _event(self, line: LogLine) -> dict[str, Any]:
        at = int(line.time * 1000)
        return {
            "logGroupIdentifier": self._identifier,
            "logStreamName": line.stream,
            "message": line.message,
            "timestamp": at,
            "ingestionTime": at,
        }
