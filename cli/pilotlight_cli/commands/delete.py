"""`pilotlight delete`: functions, and what belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options import output_option, with_client
from ..output import Format, emit_json, tick
from ..platform import Platform

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["command"]


@click.command("delete")
@click.argument("names", nargs=-1, required=True)
@output_option
@with_client
def command(client: Client, names: tuple[str, ...], output: Format) -> None:
    """Delete functions."""
    platform = Platform(client)
    for name in names:
        platform.delete(name)
        if output == "text":
            click.echo(f"{tick()}function/{name} deleted")
    if output == "json":
        emit_json([{"function": name, "outcome": "deleted"} for name in names])
