"""`pilotlight gateway`: a gateway of the cluster; the chart runs it."""

from __future__ import annotations

import asyncio

import click

from pilotlight_cli.options import settings_options
from pilotlight_gateway.settings import GatewaySettings

__all__ = ["command"]


@click.command("gateway")
@settings_options(GatewaySettings)
def command(settings: GatewaySettings) -> None:
    """Run a gateway on Kubernetes."""
    # Imported here: the Kubernetes client takes a second, and --help needs none of it.
    import uvloop  # noqa: PLC0415

    from pilotlight.process_log import log_as_json  # noqa: PLC0415
    from pilotlight_gateway.process import run  # noqa: PLC0415

    log_as_json()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
