"""`pilotlight delete`: functions, and what belongs to them; other kinds as `kind/name`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pilotlight.resources.registry import KINDS
from pilotlight.suggestion import did_you_mean

from ..failures import USAGE, Failure
from ..functions import Functions
from ..options import output_option, with_client
from ..output import Format, emit_json, tick
from ..platform import Platform

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["command"]

FUNCTION = "function"
PLURALS = {FUNCTION: "functions"} | {
    name.lower(): kind.plural for name, kind in KINDS.items() if kind.listed
}
"""What may be deleted, by kind."""


@click.command("delete")
@click.argument("names", nargs=-1, required=True, metavar="[KIND/]NAME...")
@output_option
@with_client
def command(client: Client, names: tuple[str, ...], output: Format) -> None:
    """Delete functions, or what a kind is said of: route/NAME, schedule/NAME and so on."""
    wanted = [_parse(name) for name in names]
    for kind, name in wanted:
        _delete(client, kind, name)
        if output == "text":
            click.echo(f"{tick()}{kind}/{name} deleted")
    if output == "json":
        emit_json([{kind: name, "outcome": "deleted"} for kind, name in wanted])


def _parse(text: str) -> tuple[str, str]:
    """Return kind and name, as `apply` and kubectl write them."""
    kind, slash, name = text.partition("/")
    if not slash:
        return FUNCTION, text
    if kind.lower() not in PLURALS:
        near = did_you_mean(kind, PLURALS)
        raise Failure(f"{text}: one of {', '.join(PLURALS)} is expected before the /{near}", USAGE)
    return kind.lower(), name


def _delete(client: Client, kind: str, name: str) -> None:
    if kind != FUNCTION:
        Platform(client).delete(PLURALS[kind], name)
        return
    with Functions(client).suggesting(name):
        Platform(client).delete(PLURALS[kind], name)
