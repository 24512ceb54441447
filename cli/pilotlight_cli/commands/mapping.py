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
    mapping, shards = Platform(client).mapping(name), Platform(client).shards(name)
    if output == "json":
        emit_json(mapping.to_json() | {"shards": shards})
        return
    click.echo(columns(_facts(mapping)))
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


def _facts(mapping: EventSourceMapping) -> Iterator[tuple[str, str]]:
    spec, status, ready = mapping.spec, mapping.status, mapping.condition("Ready")
    yield "Name", mapping.metadata.name
    yield "UUID", mapping.metadata.uid
    yield "Source", mapping.source
    yield "Function", spec.function
    yield "State", _state(mapping)
    if ready is not None and ready.status != "True":
        yield "Why", f"{ready.reason}: {ready.message}"
    yield "Last result", status.last_processing_result or "none yet"
    yield "Polled by", status.holder or "nobody"


def _state(mapping: EventSourceMapping) -> str:
    status = mapping.status
    if status.observed_generation != mapping.metadata.generation:
        return f"{status.state or 'new'}, changing"
    return status.state
