"""The entry point: finds the command, runs it and turns what went wrong into an exit status.

Commands are imported when they are asked for, so that `pilotlight --help` costs an interpreter and
click, and `pilotlight list` does not pay for what `pilotlight dev` needs.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from pilotlight import __version__

from .failures import INTERRUPTED, Failure
from .groups import SuggestingGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cli", "main"]

COMMANDS = {
    "dev": "Run the platform on this machine.",
    "init": "Make the folder of a first function.",
    "deploy": "Create or update a function from a folder or a file.",
    "apply": "Make functions what manifests say.",
    "invoke": "Call a function.",
    "list": "Name the functions.",
    "describe": "Say whether a function can be called now, and what it is.",
    "logs": "Show what a function wrote.",
    "schedule": "Show schedules, and when they fire.",
    "mapping": "Show event source mappings, pause and resume them.",
    "delete": "Delete functions, and what else was applied.",
    "dlq": "Look at events that failed for good, and try them again.",
    "generate-event": "Print an event as a service of AWS sends it.",
    "access-key": "Print the manifest of a new access key.",
    "env": "Print the variables that point AWS's tools here.",
    "gateway": "Run a gateway on Kubernetes.",
    "operator": "Run the operator on Kubernetes.",
}
"""Each command's summary; the command is the attribute `command` of its module."""


NO_LINUX = (
    "local mode needs Linux and this is {system}; "
    'docker run --rm -p 127.0.0.1:9001:9001 -v "$PWD:/work" docker.io/pilotlight/local '
    "serves the manifests of this folder"
)


class _LazyCommands(SuggestingGroup):
    """Commands that are imported when they run; their summaries stand above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "dev" and sys.platform != "linux":
            raise Failure(NO_LINUX.format(system=sys.platform))
        name = cmd_name.replace("list", "list_").replace("-", "_")
        module = import_module(f"pilotlight_cli.commands.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pilotlight", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """AWS Lambda on your own Kubernetes, or on this machine (`pilotlight dev`)."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 fine, 1 function failed, 2 usage, 3 not found, 4 platform, 5 late.

    docs/cli.md says which failure is which.
    """
    # So that what has begun is undone: a build, and what its tools started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = cli.main(arguments, prog_name="pilotlight", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except SystemExit:
        sys.exit(0)  # click leaves so when the reader of our output, such as `head`, had enough
    except Exception as error:  # noqa: BLE001  core's errors carry their text; others keep a trace
        failure = Failure.of(error)
        failure.show()
        sys.exit(failure.exit_code)
    sys.exit(status if isinstance(status, int) else 0)
