"""What an operator process is told: by the chart's environment variables, or by options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.hosts import host_names, hosts_by_account
from pilotlight.settings import names, setting

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OperatorSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """An operator's settings."""

    region: str = setting("The region in ARNs.", default="us-east-1")
    namespaces: tuple[str, ...] = setting("Accounts' namespaces, comma-separated.", parse=names)
    release_namespace: str = setting("Where the platform itself runs.")
    reserved_hosts: tuple[str, ...] = setting(
        "Hosts that no route may have, comma-separated; *.example.com is all below it.",
        parse=host_names,
    )
    account_hosts: dict[str, tuple[str, ...]] = setting(  # noqa: RUF009  a field
        "Hosts that an account's routes may have, as JSON: lists by namespace.",
        parse=hosts_by_account,
    )
    lease_name: str = setting("The Lease that elects the leader.")
    address: str = setting("This pod's own, at which gateways find the leader.")
    platform_key_file: Path = setting("The key that tokens of agents are made with.")  # noqa: RUF009  a field
    postgresql_url: str = setting("The database of packages.", secret=True)
    artifact_url: str = setting("Where pods fetch packages, {sha256} standing for the address.")
    runtimes_file: Path | None = setting("Runtimes by name, as JSON.", default=None)  # noqa: RUF009  a field
    aws_endpoint_url: str = setting("What functions get as AWS_ENDPOINT_URL.", default="")
    concurrency_limit: int = setting("Environments that an account may have.", default=1000)
    least_cpu: float = setting(
        "CPUs a pod may use even where its memory stands for less: starting is all CPU.",
        default=0.5,
    )
    cpu_request: float = setting("Part of the CPU limit that is requested.", default=0.02)
    pull_secret: str = setting("The Secret that images of runtimes are pulled with.", default="")
    claims_port: int = setting("Where gateways claim environments.", default=8090)
    health_port: int = setting("Where live, ready and metrics are.", default=8082)
