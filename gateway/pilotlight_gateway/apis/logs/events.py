"""Log events, which are lines: filtered of a whole group, or of one stream as they stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pilotlight.storage.interfaces import LAST_ID, LATEST
from pilotlight_gateway.exchange import json_reply
from pilotlight_gateway.logs.filter_pattern import compile_filter
from pilotlight_gateway.logs.reading import Wanted, read_first, read_last

from .errors import InvalidParameterError, NotFoundError
from .finding import find_group, refuse

if TYPE_CHECKING:
    from pilotlight.storage import LogLine
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.logs.groups import Group
    from pilotlight_gateway.services import Services

__all__ = ["event_id", "filter_log_events", "get_log_events"]

MOST_EVENTS = 10_000
MOST_CHARACTERS = 1 << 20
"""Of the messages of a page."""
CHUNK = 1000
MOST_CHUNKS = 20
"""That are searched for one page; what is behind is behind its token."""


async def filter_log_events(services: Services, call: Call) -> Reply:
    """Return a group's lines that a pattern matches, oldest first."""
    refuse(call, "unmask", "startFromHead")
    group, given = find_group(services, call), call.input
    if "logStreamNames" in given and "logStreamNamePrefix" in given:
        raise InvalidParameterError(
            "logStreamNames and logStreamNamePrefix are mutually exclusive parameters."
        )
    matches = compile_filter(given.get("filterPattern", ""))
    after, limit = _after(given.get("nextToken")), given.get("limit", MOST_EVENTS)
    found: list[LogLine] = []
    size = 0
    for _ in range(MOST_CHUNKS):
        lines = await read_first(services.logs, group, _wanted(given), after=after, limit=CHUNK)
        for line in lines:
            if len(found) >= limit or size >= MOST_CHARACTERS:
                return _page(found, after)
            after = line.id
            if _is_asked_for(given, line) and matches(line.message):
                found.append(line)
                size += len(line.message)
        if len(lines) < CHUNK:
            return _page(found, None)
    return _page(found, after)


def _page(found: list[LogLine], after: int | None) -> Reply:
    events = [_event(line) | _filtered(line) for line in found]
    token = {} if after is None else {"nextToken": str(after)}
    return json_reply({"events": events, "searchedLogStreams": []} | token)


def _after(token: str | None) -> int:
    if token is None:
        return 0
    if not re.fullmatch(r"\d{1,19}", token):
        raise InvalidParameterError("The specified nextToken is invalid.")
    return min(int(token), LAST_ID)


def _wanted(given: dict[str, Any], stream: str | None = None) -> Wanted:
    return Wanted(
        since=given.get("startTime", 0) / 1000,
        # The last millisecond counts.
        until=(given["endTime"] + 1) / 1000 if "endTime" in given else LATEST,
        stream=stream,
    )


def _is_asked_for(given: dict[str, Any], line: LogLine) -> bool:
    names = given.get("logStreamNames")
    in_names = names is None or line.stream in names
    return in_names and line.stream.startswith(given.get("logStreamNamePrefix", ""))


async def get_log_events(services: Services, call: Call) -> Reply:
    """Return a stream's lines, oldest first, and tokens that lead on in both directions."""
    refuse(call, "unmask")
    group, given = find_group(services, call), call.input
    stream = str(given["logStreamName"])
    await _check_stream(services, group, stream)
    token = given.get("nextToken") or ("f/0" if given.get("startFromHead") else f"b/{LAST_ID}")
    if not re.fullmatch(r"[fb]/\d{1,19}", token):
        raise InvalidParameterError("The specified nextToken is invalid.")
    way, number = token[0], min(int(token[2:]), LAST_ID)
    wanted, limit = _wanted(given, stream), given.get("limit", MOST_EVENTS)
    if way == "f":
        lines = await read_first(services.logs, group, wanted, after=number, limit=limit)
    else:
        lines = await read_last(services.logs, group, wanted, before=number, limit=limit)
    forward = lines[-1].id if lines else number if way == "f" else min(number, LAST_ID) - 1
    backward = lines[0].id if lines else number + 1 if way == "f" else number
    return json_reply(
        {
            "events": [_event(line) for line in lines],
            "nextForwardToken": f"f/{forward}",
            "nextBackwardToken": f"b/{backward}",
        }
    )


async def _check_stream(services: Services, group: Group, name: str) -> None:
    for function in group.functions:
        if any(one.name == name for one in await services.logs.streams(*function.key)):
            return
    raise NotFoundError("The specified log stream does not exist.")


def event_id(line: LogLine) -> str:
    """Return a line's id as CloudWatch Logs writes it: 56 digits, ascending."""
    return f"{int(line.time * 1000):013d}{line.id:043d}"


def _event(line: LogLine) -> dict[str, Any]:
    at = int(line.time * 1000)
    return {"timestamp": at, "message": line.message, "ingestionTime": at}


def _filtered(line: LogLine) -> dict[str, str]:
    return {"logStreamName": line.stream, "eventId": event_id(line)}
