"""`pilotlight dlq`: events that failed for good and that nobody else was told of."""

from __future__ import annotations

import base64
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..dead_letters import DeadLetters
from ..options import output_option, with_client
from ..output import Format, columns, emit_json, note, size, tick

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["command"]

HEADS = ("ID", "REASON", "TRIES", "DIED", "SIZE", "MESSAGE")
LONGEST_MESSAGE = 60


@click.group("dlq")
def command() -> None:
    """Look at dead letters, try them again, or throw them away."""


@command.command("list")
@click.argument("name")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@output_option
@with_client
def list_letters(client: Client, name: str, limit: int, output: Format) -> None:
    """Name a function's dead letters."""
    found = DeadLetters(client).list(name, limit)
    if output == "json":
        emit_json(found)
        return
    click.echo(columns([HEADS, *(_row(letter) for letter in found["deadLetters"])]))
    if len(found["deadLetters"]) < found["total"]:
        note(f"{len(found['deadLetters'])} of {found['total']}; --limit shows more")


@command.command("show")
@click.argument("request_id")
@click.option("--payload", is_flag=True, help="Print the event alone, byte for byte.")
@output_option
@with_client
def show(client: Client, request_id: str, *, payload: bool, output: Format) -> None:
    """Show one dead letter and its event."""
    letter = DeadLetters(client).show(request_id)
    event = base64.b64decode(letter["payload"])
    if payload:
        sys.stdout.buffer.write(event)
    elif output == "json":
        emit_json(letter)
    else:
        rows = [(f"{title}:", value) for title, value in _facts(letter)]
        click.echo(columns(rows))
        click.echo(event.decode(errors="replace"))


@command.command("redrive")
@click.argument("name")
@click.option("--request-id", help="Only that one; else all of the function.")
@output_option
@with_client
def redrive(client: Client, name: str, request_id: str | None, output: Format) -> None:
    """Try a function's dead letters again, as if they came now."""
    count = DeadLetters(client).redrive(name, request_id)
    _tell(name, "redriven", count, output)


@command.command("purge")
@click.argument("name")
@click.option("--request-id", help="Only that one; else all of the function.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@with_client
def purge(client: Client, name: str, request_id: str | None, *, yes: bool, output: Format) -> None:
    """Throw a function's dead letters away."""
    if not yes and request_id is None:
        click.confirm(f"Throw all dead letters of {name} away?", abort=True, err=True)
    count = DeadLetters(client).purge(name, request_id)
    _tell(name, "purged", count, output)


def _tell(name: str, what: str, count: int, output: Format) -> None:
    if output == "json":
        emit_json({"function": name, what: count})
    else:
        click.echo(f"{tick()}function/{name}: {count} dead letters {what}")


def _row(letter: dict[str, Any]) -> tuple[object, ...]:
    message = letter["message"].partition("\n")[0]
    if len(message) > LONGEST_MESSAGE:
        message = message[: LONGEST_MESSAGE - 1] + "…"
    died, bytes_ = _moment(letter["diedAt"]), size(letter["size"])
    return letter["id"], letter["reason"], letter["tries"], died, bytes_, message


def _facts(letter: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("Request id", letter["id"]),
        ("Function", f"{letter['function']}:{letter['qualifier']}"),
        ("Reason", letter["reason"]),
        ("Message", letter["message"]),
        ("Tries", letter["tries"]),
        ("Enqueued", _moment(letter["enqueuedAt"])),
        ("Died", _moment(letter["diedAt"])),
    ]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
