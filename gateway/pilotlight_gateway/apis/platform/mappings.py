"""`/-/eventsourcemappings/NAME/…`: how far a mapping's shards are read, and reading them anew."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pilotlight.resources import EventSourceMapping, Key, source_kind
from pilotlight_gateway.errors import InvalidParameterValueError, NotSupportedError
from pilotlight_gateway.event_sources import make_source
from pilotlight_gateway.event_sources.checkpoint import Checkpoint
from pilotlight_gateway.event_sources.source import SourceError
from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.source_leases import ShardState
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["get_backlog", "list_shards", "reset_mapping"]

BACKLOG_SECONDS = 10.0


async def list_shards(services: Services, call: Call) -> Reply:
    """Return the shards of a mapping's stream by name: who reads them, and how far they are."""
    mapping = await _find(services, call)
    found = await services.events.source_leases.shards(mapping.metadata.uid)
    return json_reply({"shards": [_document(one) for one in found if one.name]})


async def get_backlog(services: Services, call: Call) -> Reply:
    """Ask a mapping's source how much waits, with the mapping's own credentials."""
    mapping = await _find(services, call)
    try:
        async with asyncio.timeout(BACKLOG_SECONDS):
            found = await make_source(services, call.caller.account, mapping).backlog()
    except (SourceError, NotSupportedError) as error:
        return json_reply({"problem": str(error)})
    except TimeoutError:
        return json_reply({"problem": f"no answer within {BACKLOG_SECONDS:.0f} s"})
    if found is None:
        return json_reply({})
    return json_reply({"waiting": found.waiting, "inFlight": found.in_flight})


async def reset_mapping(services: Services, call: Call) -> Reply:
    """Have a stream read anew from `position`; raises NotFoundError."""
    mapping = await _find(services, call)
    kind = source_kind(mapping.spec)
    if kind is None or kind.name not in {"kinesis", "dynamodb"}:
        raise InvalidParameterValueError(
            f"{mapping.source}: only streams of Kinesis and DynamoDB have a position to be reset to"
        )
    start = _start(call.query.get("position", ""))
    if start[1] is not None and kind.name == "dynamodb":
        raise InvalidParameterValueError("position: streams of DynamoDB have none for a time")
    await services.events.source_leases.reset(mapping.metadata.uid, json.dumps(start))
    return json_reply({"position": start[0]})


async def _find(services: Services, call: Call) -> EventSourceMapping:
    key = Key(call.caller.namespace, call.parameters["name"])
    return await services.resources.get(EventSourceMapping, key)


def _start(text: str) -> tuple[str, str | None]:
    """Read a starting position, and its time if it is one."""
    if text in {"TRIM_HORIZON", "LATEST"}:
        return text, None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidParameterValueError(
            f"position: {text!r} came, TRIM_HORIZON, LATEST or a time such as "
            "2026-01-01T00:00:00Z is expected"
        )
    return "AT_TIMESTAMP", text


def _document(shard: ShardState) -> dict[str, Any]:
    read = Checkpoint.load(shard.checkpoint)
    document: dict[str, Any] = {
        "name": shard.name,
        "holder": shard.holder,
        "finished": shard.finished,
        "lastProcessingResult": read.result,
        "sequenceNumber": read.position.after,
    }
    if read.done_at:
        document["lastRecordAt"] = read.arrived_at
        document["iteratorAgeSeconds"] = max(0.0, read.done_at - read.arrived_at)
    return document
