"""`pilotlight apply`: manifests of files and folders, through the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pilotlight.resources import Function

from ..failures import USAGE, Failure
from ..manifests import load
from ..options import output_option, with_client
from ..output import Format, emit_json, note, tick
from ..platform import Platform

if TYPE_CHECKING:
    from ..client import Client
    from ..platform import Applied

__all__ = ["command"]


@click.command("apply")
@click.option(
    "-f",
    "--file",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A manifest, a folder of them, or - for stdin; may be given more than once.",
)
@click.option("--wait", "seconds", default=60.0, help="Seconds to wait for readiness; 0: none.")
@output_option
@with_client
def command(client: Client, paths: tuple[Path, ...], seconds: float, output: Format) -> None:
    """Make functions what manifests say, and wait until they are ready."""
    platform = Platform(client)
    done: list[Applied] = []
    manifests = load(paths)
    if not manifests:
        raise Failure(f"no manifest is in {', '.join(map(str, paths))}", USAGE)
    for manifest in manifests:
        for entry, why in (manifest.package.left_out if manifest.package else {}).items():
            note(f"{manifest.source}: {entry} is left out: {why}")
        done.append(platform.apply(manifest))
        if output == "text":
            click.echo(f"{tick()}{done[-1].title} {done[-1].outcome}")
    if output == "json":
        emit_json([{"resource": one.title, "outcome": one.outcome} for one in done])
    if seconds > 0:
        for one in done:
            _wait(platform, one, seconds)


def _wait(platform: Platform, applied: Applied, seconds: float) -> None:
    resource = applied.manifest.resource
    if isinstance(resource, Function):
        generation = applied.stored["metadata"]["generation"]
        platform.settle(resource.function_name, generation, seconds=seconds)
