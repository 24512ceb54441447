"""`pilotlight describe`: the first line says whether the function can be called now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..options import output_option, with_client
from ..output import Format, columns, emit_json, size
from ..platform import Platform, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.resources import Function

    from ..client import Client

__all__ = ["command", "invocable"]

STATES = ("idle", "busy", "starting")


@click.command("describe")
@click.argument("name")
@output_option
@with_client
def command(client: Client, name: str, output: Format) -> None:
    """Say whether a function can be called now, and if not why."""
    standing = Platform(client).standing(name)
    if output == "json":
        callable_now, why = invocable(standing)
        emit_json(
            {
                "invocable": callable_now,
                "why": why,
                "environments": standing.environments,
                "versions": standing.versions,
                "aliases": standing.aliases,
                "coldStart": standing.cold_start,
                "function": standing.function.to_json(),
            }
        )
        return
    click.echo("\n".join(text(standing)))


def invocable(standing: Standing) -> tuple[bool, str]:
    """Say whether the function can be called, and how it stands or what is missing."""
    status = standing.function.status
    ready = status.condition("Ready")
    if status.revision is None or status.state in {"Pending", "Failed"}:
        if ready is None or ready.status == "Unknown":
            return False, "it is being created"
        return False, f"{ready.reason}: {ready.message}"
    why = _warmth(standing.environments)
    if status.last_update_status == "Failed":
        why += f"; the last update failed: {status.last_update_status_reason}"
    elif status.last_update_status == "InProgress":
        why += "; an update is in progress"
    return True, why


def text(standing: Standing) -> Iterator[str]:
    """Describe a function for a person, line by line."""
    callable_now, why = invocable(standing)
    verdict = click.style("Yes", fg="green") if callable_now else click.style("No", fg="red")
    yield f"Invocable: {verdict} ({why})" if callable_now else f"Invocable: {verdict}: {why}"
    yield ""
    yield columns(_facts(standing))
    yield ""
    yield columns(_conditions(standing.function))
    if standing.versions or standing.aliases:
        yield ""
        yield columns(_qualifiers(standing))


def _warmth(environments: dict[str, int]) -> str:
    total = sum(environments.values())
    if total == 0:
        return "cold start on first call"
    return f"{environments.get('idle', 0)} of {total} warm environments idle"


def _facts(standing: Standing) -> Iterator[tuple[str, str]]:
    function = standing.function
    spec, status = function.spec, function.status
    yield "Name", function.function_name
    yield "ARN", status.arn or "none yet"
    yield "Runtime", f"{spec.runtime or 'image'}, handler {spec.handler or 'of the image'}"
    yield "Limits", f"{spec.memory} MB, {spec.timeout} s, /tmp {spec.ephemeral_storage} MB"
    yield "Revision", status.revision or "none yet"
    if status.configuration and status.code_size is not None:
        digest = status.configuration.code_sha256
        yield "Code", f"{size(status.code_size)}, sha256 {digest[:16]}…"
    yield "State", f"{status.state}, last update {status.last_update_status or 'none'}"
    yield "Modified", status.last_modified or "never"
    counts = (f"{standing.environments.get(name, 0)} {name}" for name in STATES)
    yield "Environments", ", ".join(counts)
    if spec.reserved_concurrency is not None:
        yield "Reserved", f"{spec.reserved_concurrency} environments at once"
    if standing.cold_start:
        yield "Last start", _last_start(standing.cold_start)


def _last_start(phases: dict[str, Any]) -> str:
    times = {name: seconds for name, seconds in phases.items() if name != "source"}
    steps = (f"{name} {seconds * 1000:.1f} ms" for name, seconds in times.items())
    return f"from {phases['source']}: {', '.join(steps)}"


def _qualifiers(standing: Standing) -> Iterator[tuple[str, str, str, str]]:
    yield "QUALIFIER", "VERSION", "ENVIRONMENTS", "PROVISIONED"
    for one in standing.versions:
        total = sum(one["environments"].values())
        yield one["version"], one["version"], str(total), _provisioned(one["provisioned"])
    for one in standing.aliases:
        yield one["alias"], one["version"], "", _provisioned(one["provisioned"])


def _provisioned(status: dict[str, Any] | None) -> str:
    if status is None:
        return "none"
    return f"{status['available']} of {status['requested']}, {status['status']}"


def _conditions(function: Function) -> Iterator[tuple[str, str, str, str]]:
    yield "CONDITION", "STATUS", "REASON", "MESSAGE"
    for one in function.status.conditions:
        yield one.type, one.status, one.reason, one.message
