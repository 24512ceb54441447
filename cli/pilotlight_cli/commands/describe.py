"""`pilotlight describe`: the first line says whether the function can be called now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..functions import Functions
from ..options import output_option, with_client
from ..output import Format, columns, emit_json, size
from ..platform import Description, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.resources import Function, FunctionSpec, Network

    from ..client import Client

__all__ = ["command", "invocable"]

STATES = ("idle", "busy", "starting")


@click.command("describe")
@click.argument("name")
@output_option
@with_client
def command(client: Client, name: str, output: Format) -> None:
    """Say whether a function can be called now, and if not why."""
    with Functions(client).suggesting(name):
        description = Platform(client).describe(name)
    if output == "json":
        callable_now, why = invocable(description)
        emit_json(
            {
                "invocable": callable_now,
                "why": why,
                "environments": description.environments,
                "versions": description.versions,
                "aliases": description.aliases,
                "coldStart": description.cold_start,
                "function": description.function.to_json(),
            }
        )
        return
    click.echo("\n".join(text(description)))


def invocable(description: Description) -> tuple[bool, str]:
    """Say whether the function can be called, and how it stands or what is missing."""
    status = description.function.status
    ready = status.condition("Ready")
    if status.revision is None or status.state in {"Pending", "Failed"}:
        if ready is None or ready.status == "Unknown":
            return False, "it is being created"
        return False, f"{ready.reason}: {ready.message}"
    why = _warmth(description.environments)
    if status.last_update_status == "Failed":
        why += f"; the last update failed: {status.last_update_status_reason}"
    elif status.last_update_status == "InProgress":
        why += "; an update is in progress"
    return True, why


def text(description: Description) -> Iterator[str]:
    """Describe a function for a person, line by line."""
    callable_now, why = invocable(description)
    verdict = click.style("Yes", fg="green") if callable_now else click.style("No", fg="red")
    yield f"Invocable: {verdict} ({why})" if callable_now else f"Invocable: {verdict}: {why}"
    yield ""
    yield columns(_facts(description))
    yield ""
    yield columns(_conditions(description.function))
    if description.versions or description.aliases:
        yield ""
        yield columns(_qualifiers(description))


def _warmth(environments: dict[str, int]) -> str:
    total = sum(environments.values())
    if total == 0:
        return "cold start on first call"
    return f"{environments.get('idle', 0)} of {total} warm environments idle"


def _facts(description: Description) -> Iterator[tuple[str, str]]:
    function = description.function
    spec, status = function.spec, function.status
    yield "Name", function.function_name
    yield "ARN", status.arn or "none yet"
    yield "Runtime", f"{spec.runtime or 'image'}, handler {spec.handler or 'of the image'}"
    yield "Limits", f"{spec.memory} MB, {spec.timeout} s, /tmp {spec.ephemeral_storage} MB"
    yield "Revision", status.revision or "none yet"
    if status.configuration and status.configuration.image:
        yield "Image", status.configuration.image.reference
    elif status.configuration and status.code_size is not None:
        digest = status.configuration.code_sha256
        yield "Code", f"{size(status.code_size)}, sha256 {digest[:16]}…"
    yield from _surroundings(spec)
    yield "State", f"{status.state}, last update {status.last_update_status or 'none'}"
    yield "Modified", status.last_modified or "never"
    counts = (f"{description.environments.get(name, 0)} {name}" for name in STATES)
    yield "Environments", ", ".join(counts)
    if spec.reserved_concurrency is not None:
        yield "Reserved", f"{spec.reserved_concurrency} environments at once"
    if description.cold_start:
        yield "Last start", _last_start(description.cold_start)


def _surroundings(spec: FunctionSpec) -> Iterator[tuple[str, str]]:
    """Say what the function is given beside code: file systems, and a network of its own."""
    for one in spec.file_systems:
        access = "read only" if one.read_only else "read and write"
        yield "File system", f"{one.claim or one.access_point} at {one.path}, {access}"
    for secret in spec.secret_files:
        yield "Secret", f"{secret.secret} as files at {secret.path}"
    if spec.network is not None:
        yield "Network", ", ".join(_reachable(spec.network)) or "nothing beside the platform"


def _reachable(network: Network) -> Iterator[str]:
    if network.public:
        yield "the public internet"
    for one in network.egress:
        yield one.cidr or f"pods of {one.namespace or 'its namespace'}"
    yield from network.subnet_ids
    yield from network.security_group_ids


def _last_start(phases: dict[str, Any]) -> str:
    times = {name: seconds for name, seconds in phases.items() if name != "source"}
    steps = (f"{name} {seconds * 1000:.1f} ms" for name, seconds in times.items())
    return f"from {phases['source']}: {', '.join(steps)}"


def _qualifiers(description: Description) -> Iterator[tuple[str, str, str, str]]:
    yield "QUALIFIER", "VERSION", "ENVIRONMENTS", "PROVISIONED"
    for one in description.versions:
        total = sum(one["environments"].values())
        yield one["version"], one["version"], str(total), _provisioned(one["provisioned"])
    for one in description.aliases:
        yield one["alias"], one["version"], "", _provisioned(one["provisioned"])


def _provisioned(status: dict[str, Any] | None) -> str:
    if status is None:
        return "none"
    return f"{status['available']} of {status['requested']}, {status['status']}"


def _conditions(function: Function) -> Iterator[tuple[str, str, str, str]]:
    yield "CONDITION", "STATUS", "REASON", "MESSAGE"
    for one in function.status.conditions:
        yield one.type, one.status, one.reason, one.message
