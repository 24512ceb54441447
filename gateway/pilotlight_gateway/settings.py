"""What a gateway is told: a process by the chart's variables, its parts by who makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pilotlight.cluster_settings import ClusterSettings
from pilotlight.hosts import Hosts
from pilotlight.keep_alive import RULES
from pilotlight.settings import names, one_of, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GatewaySettings", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(ClusterSettings):
    """A gateway process's settings."""

    domain: str = setting("What hosts of function URLs end in.", default="localhost")
    scheme: str = setting(
        "The scheme of the addresses that the API tells: https where TLS ends before the gateway.",
        default="http",
        parse=one_of("http", "https"),
    )
    aws_endpoint_url: str = setting(
        "Where destinations in AWS's services are, if not at AWS.", default=""
    )
    keep_alive: str = setting(
        "How long idle environments wait: hybrid (by their function's history) or fixed.",
        default="hybrid",
        parse=one_of(*RULES),
    )
    private_sources: tuple[str, ...] = setting(
        "host:port, by commas, of event sources in private networks.", default=(), parse=names
    )
    port: int = setting("Where clients come.", default=8080)
    internal_port: int = setting("Where pods fetch packages.", default=8081)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a gateway's parts look at, on a cluster and on one machine."""

    region: str
    platform_key: bytes = field(repr=False)
    gateway: str = "local"
    """This gateway's own name, unique among those that run."""
    concurrency_limit: int = 1000
    """Environments that an account may have."""
    most_claims: int = 64
    """Claims of one function that may be under way at once."""
    keep_alive: str = "hybrid"
    """How long idle environments wait: a name in `pilotlight.keep_alive.RULES`."""
    url_form: Literal["host", "path"] = "host"
    """Which of a function URL's two addresses the API says; both answer."""
    url_domain: str = "localhost"
    """What hosts of function URLs end in: `<id>.lambda-url.<region>.<domain>`."""
    scheme: str = "http"
    """Of the addresses that the API tells; https where TLS ends before the gateway."""
    one_port: bool = False
    """Whether the clients' port has the metrics, too: one machine has no other."""
    private_addresses: bool = False
    """Whether events' destinations and tokens' issuers may be in private networks."""
    unlabelled_secrets: bool = False
    """Whether manifests that come here may name any Secret of their account (local mode: all are
    its user's own)."""
    own_aws_credentials: bool = False
    """Whether keys for AWS that the process itself finds serve its tenants (local mode)."""
    aws_endpoint_url: str = ""
    """Where SQS, SNS, EventBridge and S3 are; empty: at AWS."""
    aws_endpoint_urls: Mapping[str, str] = field(default_factory=dict)
    """Where single services of AWS's are that are polled, by their name in AWS's hosts."""
    longest_poll: float = 20.0
    """Seconds that an empty queue is waited on at once, and so that a drain may take; up to 20."""
    private_sources: tuple[str, ...] = ()
    """`host:port` of event sources that tenants may name although they are in private networks."""
    hosts: Hosts = field(default_factory=Hosts)
    """Whose hosts are, for routes."""
