"""Options that several commands have."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pilotlight.settings import settings_of

from .client import Client
from .connection import connection_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.settings import Setting

__all__ = ["output_option", "settings_options", "with_client"]

_PATH = click.Path(exists=True, dir_okay=False, path_type=Path)
_TYPES: dict[str, Any] = {"int": int, "float": float, "Path": _PATH, "Path | None": _PATH}


output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="What standard output holds.",
)


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command a client of the endpoint that --endpoint or the environment names."""

    @click.option(
        "--endpoint",
        metavar="URL",
        help="Where the platform is; AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, then this machine.",
    )
    @wraps(command)
    def connected(endpoint: str | None, **options: Any) -> None:
        command(Client(connection_from(endpoint)), **options)

    return connected


def settings_options(kind: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of a settings dataclass, and the settings made."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def configured(**values: Any) -> None:
            command(kind(**values))

        wrapped: Callable[..., None] = configured
        for one in reversed([*settings_of(kind)]):
            wrapped = _option(one)(wrapped)
        return wrapped

    return decorate


def _option(one: Setting) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def parsed(_context: click.Context, _parameter: click.Parameter, text: str) -> Any:
        try:
            return one.parse(text) if one.parse else text
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return click.option(
        one.option,
        envvar=one.variable,
        required=one.required,
        default=None if one.required else one.default,
        show_default=not one.required,
        type=_TYPES.get(one.kind, str),
        callback=parsed,
        help=one.help,
    )
