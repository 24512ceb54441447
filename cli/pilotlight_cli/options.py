"""Options that several commands have."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from .client import Client
from .connection import connection_from

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["output_option", "with_client"]


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
