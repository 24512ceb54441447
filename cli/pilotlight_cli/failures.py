"""What a command failed of, as an exit status: the one place that translates errors.

`main` shows a failure on standard error and exits with its status.
"""

from __future__ import annotations

from typing import IO, Any, Final

import click

from pilotlight.errors import InvalidResourceError, NotFoundError, PilotlightError

__all__ = ["INTERRUPTED", "Failure"]

FUNCTION_FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
PLATFORM: Final = 4
TIMED_OUT: Final = 5
INTERRUPTED: Final = 130
"""By Ctrl-C, as shells say it: 128 and the signal's number."""


class Failure(click.ClickException):
    """A command's failure: what is shown, and the exit status."""

    def __init__(self, message: str, exit_code: int = PLATFORM) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click has one a class, we one a failure

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Translate core's errors; anything else is a bug of ours and keeps its trace."""
        match error:
            case InvalidResourceError():
                return cls(str(error), USAGE)
            case NotFoundError():
                return cls(str(error), NOT_FOUND)
            case PilotlightError():
                return cls(str(error), PLATFORM)
            case _:
                raise error

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to standard error."""
        click.secho("Error: ", fg="red", nl=False, err=True, file=file)
        click.echo(self.format_message(), err=True, file=file)
