"""What operators and gateways of a cluster are told alike: by the chart's environment variables.

Each adds what it alone must know (`pilotlight_operator.settings`, `pilotlight_gateway.settings`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .hosts import host_names, hosts_by_account
from .settings import names, setting
from .walls import Walls, walls

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ClusterSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """Settings of every process of a cluster."""

    region: str = setting("The region in ARNs and signatures.", default="us-east-1")
    namespaces: tuple[str, ...] = setting("Accounts' namespaces, comma-separated.", parse=names)
    release_namespace: str = setting("Where the platform itself runs, and its access keys are.")
    reserved_hosts: tuple[str, ...] = setting(
        "Hosts that no route may have, comma-separated; *.example.com is all below it.",
        parse=host_names,
    )
    account_hosts: dict[str, tuple[str, ...]] = setting(  # noqa: RUF009  a field
        "Hosts that an account's routes may have, as JSON: lists by namespace.",
        parse=hosts_by_account,
    )
    aws_endpoint_url: str = setting(
        "Where AWS's services are, for functions too, if not at AWS.", default=""
    )
    private_sources: tuple[str, ...] = setting(
        "host:port, by commas, of event sources and buckets in private networks.",
        default=(),
        parse=names,
    )
    walls: Walls = setting(  # noqa: RUF009  a field
        "What functions may open for themselves, and which subnets there are, as JSON.",
        parse=walls,
    )
    lease_name: str = setting("The Lease that elects the leader.")
    platform_key_file: Path = setting("The key that tokens of agents are made with.")  # noqa: RUF009  a field
    postgresql_url: str = setting("The database of packages, events and log lines.", secret=True)
    concurrency_limit: int = setting("Environments that an account may have.", default=1000)
    health_port: int = setting("Where live, ready and metrics are.", default=8082)
