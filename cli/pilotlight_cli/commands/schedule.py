"""`pilotlight schedule`: what schedules there are, and when they fire next."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from pilotlight.resources.schedule import format_time
from pilotlight.schedules import parse_zone

from ..options import output_option, with_client
from ..output import Format, columns, emit_json
from ..platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.resources import Schedule

    from ..client import Client

__all__ = ["command"]

HEADS = ("NAME", "EXPRESSION", "FUNCTION", "LAST", "NEXT", "STATUS")
_ELAPSED = "%a %Y-%m-%d %H:%M:%S %Z"


@click.group("schedule")
def command() -> None:
    """Show schedules, and when they fire."""


@command.command("list")
@output_option
@with_client
def list_(client: Client, output: Format) -> None:
    """Name the schedules of the account."""
    found = Platform(client).schedules()
    if output == "json":
        emit_json([one.to_json() for one in found])
        return
    click.echo(columns([HEADS, *map(_row, found)]))


@command.command("show")
@click.argument("name")
@click.option("--next", "count", default=5, type=click.IntRange(0, 1000), help="How many times.")
@output_option
@with_client
def show(client: Client, name: str, count: int, output: Format) -> None:
    """Say what a schedule does, and when it fires next."""
    schedule = Platform(client).schedule(name)
    times = _next_times(schedule, count)
    if output == "json":
        emit_json({"schedule": schedule.to_json(), "next": [format_time(one) for one in times]})
        return
    click.echo(columns(_facts(schedule)))
    zone = parse_zone(schedule.spec.timezone) if times else UTC
    for time in times:
        click.echo(f"{format_time(time)}  {time.astimezone(zone):{_ELAPSED}}")


def _next_times(schedule: Schedule, count: int) -> list[datetime]:
    if not schedule.spec.enabled or schedule.problem() is not None:
        return []
    return list(islice(schedule.upcoming(datetime.now(UTC)), count))


def _row(schedule: Schedule) -> tuple[str, ...]:
    status = schedule.status
    return (
        schedule.metadata.name,
        schedule.spec.expression,
        schedule.spec.function,
        status.last_time or "never",
        status.next_time or "never",
        _standing(schedule)[0],
    )


def _facts(schedule: Schedule) -> Iterator[tuple[str, str]]:
    spec, (reason, message) = schedule.spec, _standing(schedule)
    yield "Name", schedule.metadata.name
    yield "Expression", f"{spec.expression} in {spec.timezone}"
    yield "Function", spec.function
    if spec.flexible_window:
        yield "Window", f"{spec.flexible_window} min"
    yield "Status", f"{reason}: {message}" if message else reason
    yield "Last", schedule.status.last_time or "never"


def _standing(schedule: Schedule) -> tuple[str, str]:
    ready = schedule.condition("Ready")
    return (ready.reason, ready.message) if ready else ("Unknown", "not looked at yet")
