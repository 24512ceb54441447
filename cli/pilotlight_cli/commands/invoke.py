"""`pilotlight invoke`: one call, whose answer is waited for unless it is an event."""

from __future__ import annotations

import json
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from ..failures import FUNCTION_FAILED
from ..functions import Functions
from ..options import output_option, with_client
from ..output import Format, emit_json, note

if TYPE_CHECKING:
    from ..client import Client
    from ..functions import Answer

__all__ = ["command"]

KINDS = {"request": "RequestResponse", "event": "Event", "dry-run": "DryRun"}
"""Lambda's invocation types."""
SAID = {"request": "", "event": " is queued", "dry-run": " would be served"}


@click.command("invoke")
@click.argument("name")
@click.option("--payload", metavar="JSON", help="The event.")
@click.option(
    "--payload-file", type=click.File("rb"), help="A file that holds the event; - is stdin."
)
@click.option("--tail", is_flag=True, help="Show the last 4 KB of the log on standard error.")
@click.option("--qualifier", help="A version or an alias.")
@click.option("--tenant-id", help="Whose call it is, of a function that isolates tenants.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(list(KINDS)),
    default="request",
    help="request waits for the answer, event is queued, dry-run only checks.",
)
@click.option("--stream", is_flag=True, help="Print the answer as the function writes it.")
@output_option
@with_client
@click.pass_context
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    ctx: click.Context,
    client: Client,
    name: str,
    payload: str | None,
    payload_file: IO[bytes] | None,
    qualifier: str | None,
    tenant_id: str | None,
    kind: str,
    output: Format,
    *,
    tail: bool,
    stream: bool,
) -> None:
    """Call a function and print its answer; exit status 1 if the function failed."""
    if stream and (kind != "request" or output == "json"):
        raise click.UsageError("--stream prints an answer as it comes: without --type and --output")
    event, functions = _event(payload, payload_file), Functions(client)
    with functions.suggesting(name):
        if stream:
            answer = functions.invoke_streaming(
                name, event, _write, qualifier=qualifier, tenant=tenant_id, tail=tail
            )
        else:
            answer = functions.invoke(
                name, event, qualifier=qualifier, kind=KINDS[kind], tenant=tenant_id, tail=tail
            )
    if output == "json":
        emit_json(_document(answer))
    elif kind == "request":
        _write(answer.payload + b"\n")
    _tell(answer, kind)
    if answer.function_error:
        ctx.exit(FUNCTION_FAILED)


def _write(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.flush()


def _event(payload: str | None, payload_file: IO[bytes] | None) -> bytes:
    if payload is not None and payload_file is not None:
        raise click.UsageError("give --payload or --payload-file, not both")
    if payload_file is not None:
        return payload_file.read()
    return (payload or "{}").encode()


def _tell(answer: Answer, kind: str) -> None:
    if answer.log_tail:
        note(answer.log_tail.rstrip("\n"))
    failed = f" {answer.function_error} error" if answer.function_error else ""
    note(f"request {answer.request_id}{SAID[kind]}{failed}")


def _document(answer: Answer) -> dict[str, Any]:
    try:
        payload: Any = json.loads(answer.payload or b"null")
    except ValueError:
        payload = answer.payload.decode(errors="replace")
    return {
        "payload": payload,
        "functionError": answer.function_error,
        "requestId": answer.request_id,
        "executedVersion": answer.executed_version,
        "logTail": answer.log_tail,
    }
