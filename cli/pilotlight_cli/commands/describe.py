"""`pilotlight describe`: the first line says whether the function can be called now."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        verdict = {"invocable": callable_now, "why": why, "environments": standing.environments}
        emit_json({**verdict, "function": standing.function.to_json()})
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


def _conditions(function: Function) -> Iterator[tuple[str, str, str, str]]:
    yield "CONDITION", "STATUS", "REASON", "MESSAGE"
    for one in function.status.conditions:
        yield one.type, one.status, one.reason, one.message
