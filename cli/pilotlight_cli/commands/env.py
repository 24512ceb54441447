"""`pilotlight env`: for `eval "$(pilotlight env)"`."""

from __future__ import annotations

import shlex

import click

from ..connection import connection_from
from ..options import output_option
from ..output import Format, emit_json

__all__ = ["command"]


@click.command("env")
@click.option("--endpoint", metavar="URL", help="Where the platform is.")
@output_option
def command(endpoint: str | None, output: Format) -> None:
    """Print the variables that point AWS's SDKs and tools at this platform."""
    connection = connection_from(endpoint)
    variables = {
        "AWS_ENDPOINT_URL": connection.endpoint,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        "AWS_ACCESS_KEY_ID": connection.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": connection.credentials.secret_key,
    }
    if connection.credentials.session_token:
        variables["AWS_SESSION_TOKEN"] = connection.credentials.session_token
    if output == "json":
        emit_json(variables)
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
