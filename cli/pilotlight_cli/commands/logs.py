"""`pilotlight logs`: what a function and the platform wrote about its invocations."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..functions import Functions
from ..options import output_option, with_client
from ..output import Format, emit_json
from ..platform import Platform

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["command"]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
POLL_SECONDS = 0.3
SHORT_ID = 8
Line = dict[str, Any]


class _Since(click.ParamType[float]):
    """How long ago, such as 5m, as seconds since the epoch."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = re.fullmatch(r"(\d+)([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r}: a number and s, m, h or d is expected, such as 5m", param, ctx)
        return time.time() - int(match[1]) * UNITS[match[2]]


@click.command("logs")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with lines that come.")
@click.option("--since", type=_Since(), help="Only lines of the last while, such as 5m or 2h.")
@click.option("--request-id", help="Only lines of that invocation.")
@click.option("--limit", default=1000, show_default=True, help="The last so many lines.")
@output_option
@with_client
def command(  # noqa: PLR0913  one parameter an option
    client: Client,
    name: str,
    *,
    since: float | None,
    request_id: str | None,
    limit: int,
    output: Format,
    follow: bool,
) -> None:
    """Show what a function wrote, oldest first; JSON is one line each."""
    platform = Platform(client)
    wanted = {"since": since, "request_id": request_id}
    lines = platform.logs(name, limit=limit, **wanted)
    if not lines:  # a function that wrote nothing, or none at all
        with Functions(client).suggesting(name):
            platform.describe(name)
    _print(lines, output)
    while follow:
        time.sleep(POLL_SECONDS)
        # Without a line to go on from, ask for what came since the start.
        last = lines[-1]["id"] if lines else None
        more = platform.logs(name, after_id=last, **wanted)
        _print(more, output)
        lines = more or lines


def _print(lines: list[Line], output: Format) -> None:
    for line in lines:
        if output == "json":
            emit_json(line, indent=None)
        else:
            click.echo(_text(line))


def _text(line: Line) -> str:
    moment = datetime.fromtimestamp(line["time"], UTC).isoformat(timespec="milliseconds")
    request = click.style(line["requestId"][:SHORT_ID].ljust(SHORT_ID), dim=True)
    # Lambda's runtimes separate the lines of one record by carriage returns.
    message = line["message"].rstrip().replace("\r", "\n")
    return f"{moment.replace('+00:00', 'Z')} {request} {message}"
