"""`pilotlight list`: the functions of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..functions import Functions
from ..options import output_option, with_client
from ..output import Format, columns, emit_json

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["command"]

HEADS = ("NAME", "RUNTIME", "MEMORY", "TIMEOUT", "MODIFIED")


@click.command("list")
@output_option
@with_client
def command(client: Client, output: Format) -> None:
    """Name the functions of the account."""
    found = Functions(client).list()
    if output == "json":
        emit_json(found)
        return
    rows = [
        (
            one["FunctionName"],
            one.get("Runtime", "image"),
            f"{one['MemorySize']} MB",
            f"{one['Timeout']} s",
            one["LastModified"],
        )
        for one in found
    ]
    click.echo(columns([HEADS, *rows]))
