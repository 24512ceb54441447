"""What `pilotlight dev` shows: where things are, what became of manifests, and every call.

Plain lines in a pipe; ticks and colours on a terminal. How a log line is shown, `brief` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pilotlight import __version__
from pilotlight_cli.functions import FUNCTIONS
from pilotlight_cli.output import tick

from .brief import Brief

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pilotlight.resources import Function
    from pilotlight.storage import LogLine
    from pilotlight_local.environments import Interpreter

__all__ = ["Console"]


class Console:
    """Prints for a person."""

    def __init__(self) -> None:
        self._brief = Brief()

    def started(self, state: Path) -> None:
        """Say what runs, and once what it is not."""
        click.echo(f"pilotlight {__version__}  local mode  state {state} (sqlite)")
        click.echo("local mode isolates nothing and accepts any credentials, on loopback only")

    def interpreter(self, runtime: str, found: Interpreter) -> None:
        """Say what runs a runtime's functions."""
        shared = ", the platform's own, and see its packages" if found.shared else ""
        click.echo(f"{runtime} functions run with {found.path} ({found.version}){shared}")

    def function(self, function: Function, endpoint: str) -> None:
        """Say where a function is called, or why it cannot be."""
        name, spec = function.function_name, function.spec
        ready = function.status.condition("Ready")
        if ready is not None and ready.status == "False":
            mark = click.style("not ready", fg="red")
            click.echo(f"{name}  {mark}  {ready.reason}: {ready.message}")
            return
        where = f"{endpoint}{FUNCTIONS}/{name}/invocations"
        click.echo(f"{tick()}{name}  {spec.runtime or 'image'}  {spec.memory} MB  {where}")

    def serving(self, endpoint: str) -> None:
        """Say that invocations are served; the last line before calls are shown."""
        click.echo(f'AWS endpoint {endpoint}   eval "$(pilotlight env --endpoint {endpoint})"')

    def tell(self, text: str) -> None:
        """Say what a person may have to wait for, or should know."""
        click.echo(text)

    def problem(self, text: str) -> None:
        """Say what went wrong with a change."""
        click.echo(click.style("! ", fg="red") + text)

    def log(self, lines: Sequence[LogLine]) -> None:
        """Show a call's own lines, and its report in short."""
        shown = [text for line in lines if (text := self._brief.show(line)) is not None]
        if shown:
            click.echo("\n".join(shown))
