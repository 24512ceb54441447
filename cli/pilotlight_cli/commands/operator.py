"""`pilotlight operator`: an operator of the cluster; the chart runs it."""

from __future__ import annotations

import asyncio

import click

from pilotlight_cli.options import settings_options
from pilotlight_operator.settings import OperatorSettings

__all__ = ["command"]


@click.command("operator")
@settings_options(OperatorSettings)
def command(settings: OperatorSettings) -> None:
    """Run an operator on Kubernetes."""
    # Imported here: kopf and the Kubernetes client take seconds, and --help needs none of them.
    from pilotlight.process_log import log_as_json  # noqa: PLC0415
    from pilotlight_operator.process import run  # noqa: PLC0415

    log_as_json()
    asyncio.run(run(settings))
