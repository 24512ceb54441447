"""`pilotlight mapping`: what is polled, for which function, by whom, and why nothing comes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..options import output_option, with_client
from ..output import Format, columns, emit_json, tick
from ..platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.resources import EventSourceMapping

    from ..client import Client

__all__ = ["command"]

HEADS = ("NAME", "SOURCE", "FUNCTION", "STATE", "LAST RESULT")
SHARD_HEADS = ("SHARD", "READ BY", "LAST RECORD", "ITERATOR AGE", "LAST RESULT")
LONGEST_PAUSE = 30
"""Seconds before a gateway tries again what could not be polled."""
API = "/2015-03-31/event-source-mappings/"


@click.group("mapping")
def command() -> None:
    """Show event source mappings, pause, resume and reset them."""


@command.command("list")
@output_option
@with_client
def list_(client: Client, output: Format) -> None:
    """Name the mappings of the account."""
    found = Platform(client).mappings()
    if output == "json":
        emit_json([one.to_json() for one in found])
        return
    click.echo(columns([HEADS, *map(_row, found)]))


@command.command("show")
@click.argument("name")
@output_option
@with_client
def show(client: Client, name: str, output: Format) -> None:
    """Say what a mapping polls, who does, and how that goes."""
    platform = Platform(client)
    mapping, shards = platform.mapping(name), platform.shards(name)
    backlog = platform.backlog(name)
    if output == "json":
        emit_json(mapping.to_json() | {"shards": shards, "backlog": backlog})
        return
    click.echo(columns(_facts(mapping, backlog)))
    if shards:
        click.echo()
        click.echo(columns([SHARD_HEADS, *map(_shard_row, shards)]))


@command.command("pause")
@click.argument("name")
@output_option
@with_client
def pause(client: Client, name: str, output: Format) -> None:
    """Poll no more until it is resumed; what was begun ends."""
    _enable(client, name, output, enabled=False)


@command.command("resume")
@click.argument("name")
@output_option
@with_client
def resume(client: Client, name: str, output: Format) -> None:
    """Poll again, from where it was paused."""
    _enable(client, name, output, enabled=True)


@command.command("reset")
@click.argument("name")
@click.argument("position")
@output_option
@with_client
def reset(client: Client, name: str, position: str, output: Format) -> None:
    """Read a stream anew, from POSITION: TRIM_HORIZON, LATEST or, of Kinesis, a time.

    What was read before comes again where it stands after that; batches that run end, and are not
    waited for.
    """
    document = Platform(client).reset_mapping(name, position)
    if output == "json":
        emit_json(document)
        return
    click.echo(f"{tick()}{name} is read from {position} on")


def _enable(client: Client, name: str, output: Format, *, enabled: bool) -> None:
    uid = Platform(client).mapping(name).metadata.uid
    changed = client.request_json("PUT", API + uid, {"Enabled": enabled})
    if output == "json":
        emit_json(changed)
        return
    said = "is polled again" if enabled else "pauses once its batches have ended"
    click.echo(f"{tick()}{name} {said}")


def _row(mapping: EventSourceMapping) -> tuple[str, ...]:
    ready = mapping.condition("Ready")
    result = mapping.status.last_processing_result or "none yet"
    if ready is not None and ready.status != "True" and mapping.spec.enabled:
        result = f"PROBLEM: {ready.reason}"
    spec = mapping.spec
    return mapping.metadata.name, mapping.source, spec.function, _state(mapping), result


def _shard_row(shard: dict[str, Any]) -> tuple[str, ...]:
    read = shard.get("lastRecordAt")
    return (
        shard["name"],
        "to its end" if shard["finished"] else shard["holder"] or "nobody",
        f"{datetime.fromtimestamp(read, UTC):%Y-%m-%dT%H:%M:%SZ}" if read else "none yet",
        f"{shard['iteratorAgeSeconds']:.1f} s" if read else "-",
        shard["lastProcessingResult"] or "none yet",
    )


def _facts(mapping: EventSourceMapping, backlog: dict[str, Any]) -> Iterator[tuple[str, str]]:
    spec, status, ready = mapping.spec, mapping.status, mapping.condition("Ready")
    yield "Name", mapping.metadata.name
    yield "UUID", mapping.metadata.uid
    yield "Source", mapping.source
    yield "Function", spec.function
    yield "State", _state(mapping)
    if ready is not None and ready.status != "True":
        yield "Why", f"{ready.reason}: {ready.message}"
    if backlog:
        yield "Waiting", _waiting(backlog)
    yield "Last result", status.last_processing_result or "none yet"
    yield "Polled by", status.holder or "nobody"
    yield "Next poll", _next_poll(mapping)
    if (reason := _nothing_comes(mapping, backlog)) is not None:
        yield "Nothing comes", reason


def _waiting(backlog: dict[str, Any]) -> str:
    if "problem" in backlog:
        return f"not known: {backlog['problem']}"
    waiting, held = backlog["waiting"], backlog["inFlight"]
    counted = "not known yet" if waiting is None else str(waiting)
    return counted if held is None else f"{counted}, and {held} in flight"


def _next_poll(mapping: EventSourceMapping) -> str:
    ready = mapping.condition("Ready")
    if not mapping.spec.enabled:
        return f"none, until `pilotlight mapping resume {mapping.metadata.name}`"
    if not mapping.status.holder:
        return "once a gateway takes it, within seconds"
    if ready is not None and ready.status != "True":
        return f"within {LONGEST_PAUSE} s, and so on until it can be polled"
    return "now: there is always one that waits for records"


def _nothing_comes(mapping: EventSourceMapping, backlog: dict[str, Any]) -> str | None:
    """Say why the function gets nothing, where that is to be seen."""
    ready, result = mapping.condition("Ready"), mapping.status.last_processing_result
    if not mapping.spec.enabled:
        return "the mapping is paused"
    if ready is not None and ready.status != "True":
        return f"the source cannot be polled: {ready.reason}"
    if result.startswith("PROBLEM: "):
        return f"what came last did not succeed: {result.removeprefix('PROBLEM: ')}"
    if backlog.get("waiting") == 0 and not backlog.get("inFlight"):
        return "nothing waits in the source"
    return None


def _state(mapping: EventSourceMapping) -> str:
    status = mapping.status
    if status.observed_generation != mapping.metadata.generation:
        return f"{status.state or 'new'}, changing"
    return status.state
