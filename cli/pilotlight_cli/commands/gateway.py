"""`pilotlight gateway`: a gateway of the cluster; the chart runs it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import click

__all__ = ["command"]


def _env(name: str) -> str:
    return f"PILOTLIGHT_{name}"


@click.command("gateway")
@click.option("--region", envvar=_env("REGION"), default="us-east-1", show_default=True)
@click.option(
    "--domain",
    envvar=_env("DOMAIN"),
    default="localhost",
    show_default=True,
    help="What hosts of function URLs end in.",
)
@click.option("--namespaces", envvar=_env("NAMESPACES"), required=True, help="Comma-separated.")
@click.option("--release-namespace", envvar=_env("RELEASE_NAMESPACE"), required=True)
@click.option("--lease-name", envvar=_env("LEASE_NAME"), required=True)
@click.option(
    "--platform-key-file",
    envvar=_env("PLATFORM_KEY_FILE"),
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--postgresql-url", envvar=_env("POSTGRESQL_URL"), required=True)
@click.option(
    "--aws-endpoint-url",
    envvar=_env("AWS_ENDPOINT_URL"),
    default="",
    help="Where destinations in AWS's services are, if not at AWS.",
)
@click.option("--port", envvar=_env("PORT"), default=8080, show_default=True)
@click.option("--internal-port", envvar=_env("INTERNAL_PORT"), default=8081, show_default=True)
@click.option("--operations-port", envvar=_env("OPERATIONS_PORT"), default=8082, show_default=True)
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    region: str,
    domain: str,
    namespaces: str,
    release_namespace: str,
    lease_name: str,
    platform_key_file: Path,
    postgresql_url: str,
    aws_endpoint_url: str,
    port: int,
    internal_port: int,
    operations_port: int,
) -> None:
    """Run a gateway on Kubernetes."""
    # Imported here: the Kubernetes client takes a second, and --help needs none of it.
    import uvloop  # noqa: PLC0415

    from pilotlight.process_log import log_as_json  # noqa: PLC0415
    from pilotlight_gateway.process import ClusterGateway, run  # noqa: PLC0415

    log_as_json()
    settings = ClusterGateway(
        region=region,
        domain=domain,
        namespaces=tuple(name.strip() for name in namespaces.split(",") if name.strip()),
        release_namespace=release_namespace,
        lease=lease_name,
        platform_key=platform_key_file.read_bytes().strip(),
        postgresql_url=postgresql_url,
        aws_endpoint_url=aws_endpoint_url,
        name=socket.gethostname(),
        public_port=port,
        internal_port=internal_port,
        operations_port=operations_port,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
