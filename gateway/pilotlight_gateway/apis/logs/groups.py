"""Log groups and streams: described, made, deleted, and how long their lines stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.errors import AlreadyExistsError as Exists
from pilotlight.resources import RETENTION_DAYS, LogGroup
from pilotlight.resources.function import MOST_TAGS
from pilotlight.storage.interfaces import LATEST
from pilotlight_gateway.exchange import json_reply
from pilotlight_gateway.logs.groups import Group

from .errors import AlreadyExistsError, InvalidParameterError, NotFoundError
from .finding import arn_of, empty, find_group, name_of, page_of, refuse, write_spec

if TYPE_CHECKING:
    from pilotlight.storage import LogStream
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.services import Services

__all__ = [
    "create_log_group",
    "delete_log_group",
    "delete_log_stream",
    "delete_retention_policy",
    "describe_log_groups",
    "describe_log_streams",
    "put_retention_policy",
]


async def describe_log_groups(services: Services, call: Call) -> Reply:
    """Return the account's groups by name."""
    refuse(call, "accountIdentifiers", "includeLinkedAccounts")
    given, namespace = call.input, call.caller.namespace
    if "logGroupNamePrefix" in given and "logGroupNamePattern" in given:
        raise InvalidParameterError(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    names = [name for name in services.log_groups.names(namespace) if _is_asked_for(given, name)]
    if identifiers := given.get("logGroupIdentifiers"):
        asked = {name_of(services, call, one) for one in identifiers}
        names = [name for name in names if name in asked]
    page, token = page_of(names, call)
    found = (services.log_groups.get(namespace, name) for name in page)
    groups = [_described(services, call, group) for group in found if group is not None]
    return json_reply({"logGroups": groups} | token)


def _is_asked_for(given: dict[str, Any], name: str) -> bool:
    return (
        name.startswith(given.get("logGroupNamePrefix", ""))
        and given.get("logGroupNamePattern", "").lower() in name.lower()
        and given.get("logGroupClass", "STANDARD") == "STANDARD"
    )


def _described(services: Services, call: Call, group: Group) -> dict[str, Any]:
    arn = arn_of(services, call, group.name)
    days = group.spec.retention_in_days
    return {
        "logGroupName": group.name,
        "creationTime": int(group.created * 1000),
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
    } | ({} if days is None else {"retentionInDays": days})


async def create_log_group(services: Services, call: Call) -> Reply:
    """Make a group before a function logs into it; where one has, it is there already."""
    refuse(call, "kmsKeyId", "deletionProtectionEnabled")
    if call.input.get("logGroupClass", "STANDARD") != "STANDARD":
        raise InvalidParameterError("logGroupClass: no other than STANDARD is supported.")
    name, namespace = str(call.input["logGroupName"]), call.caller.namespace
    group = services.log_groups.get(namespace, name) or Group(namespace, name, (), None)
    if group.settings is not None or await _streams(services, group):
        raise AlreadyExistsError("The specified log group already exists")
    tags = call.input.get("tags", {})
    if len(tags) > MOST_TAGS:
        raise InvalidParameterError(f"{len(tags)} tags came, at most {MOST_TAGS} are allowed.")
    try:
        await write_spec(services, group, lambda spec: spec.model_copy(update={"tags": tags}))
    except Exists as error:
        raise AlreadyExistsError("The specified log group already exists") from error
    return empty()


async def delete_log_group(services: Services, call: Call) -> Reply:
    """Delete a group's lines and settings; a function that logs again makes it anew."""
    group = find_group(services, call)
    for function in group.functions:
        await services.logs.delete(*function.key, until=LATEST)
    if group.settings is not None:
        await services.resources.delete(LogGroup, group.settings.key)
    return empty()


async def delete_log_stream(services: Services, call: Call) -> Reply:
    """Delete a stream's lines; an environment that logs on makes it anew."""
    group, name = find_group(services, call), str(call.input["logStreamName"])
    deleted = [
        await services.logs.delete(*function.key, until=LATEST, stream=name)
        for function in group.functions
    ]
    if not any(deleted):
        raise NotFoundError("The specified log stream does not exist.")
    return empty()


async def put_retention_policy(services: Services, call: Call) -> Reply:
    """Have lines go after some days."""
    days = call.input["retentionInDays"]
    if days not in RETENTION_DAYS:
        wanted = ", ".join(map(str, RETENTION_DAYS))
        raise InvalidParameterError(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{wanted}]"
        )
    await _keep_for(services, call, days)
    return empty()


async def delete_retention_policy(services: Services, call: Call) -> Reply:
    """Have lines stay as long as the store has room."""
    await _keep_for(services, call, None)
    return empty()


async def _keep_for(services: Services, call: Call, days: int | None) -> None:
    await write_spec(
        services,
        find_group(services, call),
        lambda spec: spec.model_copy(update={"retention_in_days": days}),
    )


async def describe_log_streams(services: Services, call: Call) -> Reply:
    """Return a group's streams, by name or by their last line."""
    group, given = find_group(services, call), call.input
    prefix, by_time = given.get("logStreamNamePrefix", ""), given.get("orderBy") == "LastEventTime"
    if prefix and by_time:
        raise InvalidParameterError("Cannot order by LastEventTime with a logStreamNamePrefix.")
    streams = [one for one in await _streams(services, group) if one.name.startswith(prefix)]
    places = {_place(one, by_time=by_time): one for one in streams}
    descending = bool(given.get("descending"))
    if descending:
        places = {_mirrored(place): one for place, one in places.items()}
    page, token = page_of(sorted(places), call)
    arn = arn_of(services, call, group.name)
    return json_reply({"logStreams": [_stream(arn, places[place]) for place in page]} | token)


async def _streams(services: Services, group: Group) -> list[LogStream]:
    """Return the streams of a group that have a name; what the platform notes itself has none."""
    return [
        stream
        for function in group.functions
        for stream in await services.logs.streams(*function.key)
        if stream.name
    ]


def _place(stream: LogStream, *, by_time: bool) -> str:
    """Return what a stream sorts by, as a text, which a token can hold."""
    return f"{stream.last_time:020.3f} {stream.name}" if by_time else stream.name


def _mirrored(place: str) -> str:
    """Return a text that sorts the other way round."""
    return "".join(chr(0x10FFFF - ord(character)) for character in place) + chr(0x10FFFF)


def _stream(arn: str, stream: LogStream) -> dict[str, Any]:
    first, last = int(stream.first_time * 1000), int(stream.last_time * 1000)
    return {
        "logStreamName": stream.name,
        "creationTime": first,
        "firstEventTimestamp": first,
        "lastEventTimestamp": last,
        "lastIngestionTime": last,
        "arn": f"{arn}:log-stream:{stream.name}",
        "storedBytes": 0,  # as CloudWatch Logs says of every stream since 2019
    }
