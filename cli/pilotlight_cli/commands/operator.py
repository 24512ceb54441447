"""`pilotlight operator`: an operator of the cluster; the chart runs it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

__all__ = ["command"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _env(name: str) -> str:
    return f"PILOTLIGHT_{name}"


@click.command("operator")
@click.option("--region", envvar=_env("REGION"), default="us-east-1", show_default=True)
@click.option("--namespaces", envvar=_env("NAMESPACES"), required=True, help="Comma-separated.")
@click.option("--release-namespace", envvar=_env("RELEASE_NAMESPACE"), required=True)
@click.option("--lease-name", envvar=_env("LEASE_NAME"), required=True)
@click.option("--address", envvar=_env("ADDRESS"), required=True, help="This pod's own address.")
@click.option("--platform-key-file", envvar=_env("PLATFORM_KEY_FILE"), required=True, type=_FILE)
@click.option("--runtimes-file", envvar=_env("RUNTIMES_FILE"), type=_FILE, help="JSON by name.")
@click.option("--postgresql-url", envvar=_env("POSTGRESQL_URL"), required=True)
@click.option("--artifact-url", envvar=_env("ARTIFACT_URL"), required=True, help="With {sha256}.")
@click.option("--aws-endpoint-url", envvar=_env("AWS_ENDPOINT_URL"), default="")
@click.option("--least-cpu", envvar=_env("LEAST_CPU"), default=0.5, show_default=True)
@click.option("--cpu-request", envvar=_env("CPU_REQUEST"), default=0.05, show_default=True)
@click.option("--pull-secret", envvar=_env("PULL_SECRET"), default="")
@click.option("--claims-port", envvar=_env("CLAIMS_PORT"), default=8090, show_default=True)
@click.option("--operations-port", envvar=_env("OPERATIONS_PORT"), default=8082, show_default=True)
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    region: str,
    namespaces: str,
    release_namespace: str,
    lease_name: str,
    address: str,
    platform_key_file: Path,
    runtimes_file: Path | None,
    postgresql_url: str,
    artifact_url: str,
    aws_endpoint_url: str,
    least_cpu: float,
    cpu_request: float,
    pull_secret: str,
    claims_port: int,
    operations_port: int,
) -> None:
    """Run an operator on Kubernetes."""
    # Imported here: kopf and the Kubernetes client take seconds, and --help needs none of them.
    from pilotlight.process_log import log_as_json  # noqa: PLC0415
    from pilotlight.resources import RuntimeSpec  # noqa: PLC0415
    from pilotlight_operator.controller import ControllerSettings  # noqa: PLC0415
    from pilotlight_operator.manifests.pod import PodSettings  # noqa: PLC0415
    from pilotlight_operator.process import ClusterOperator, run  # noqa: PLC0415

    log_as_json()
    runtimes = json.loads(runtimes_file.read_text()) if runtimes_file else {}
    controller = ControllerSettings(
        namespaces=tuple(name.strip() for name in namespaces.split(",") if name.strip()),
        region=region,
        postgresql_url=postgresql_url,
        runtimes={name: RuntimeSpec.model_validate(spec) for name, spec in runtimes.items()},
    )
    settings = ClusterOperator(
        controller=controller,
        pods=PodSettings(least_cpu, cpu_request, pull_secret or None),
        release_namespace=release_namespace,
        lease=lease_name,
        platform_key=platform_key_file.read_bytes().strip(),
        address=address,
        claims_port=claims_port,
        operations_port=operations_port,
        artifact_url=artifact_url,
        environment={"AWS_ENDPOINT_URL": aws_endpoint_url} if aws_endpoint_url else {},
    )
    asyncio.run(run(settings))
