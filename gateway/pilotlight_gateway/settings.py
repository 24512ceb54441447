"""What a gateway is told: a process by the chart's variables, its parts by who makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pilotlight.aws.credentials import AwsSettings
from pilotlight.cluster_settings import ClusterSettings
from pilotlight.hosts import Hosts
from pilotlight.keep_alive import RULES
from pilotlight.settings import one_of, setting
from pilotlight.walls import Walls  # noqa: TC001  settings are read at run time

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
    keep_alive: str = setting(
        "How long idle environments wait: hybrid (by their function's history) or fixed.",
        default="hybrid",
        parse=one_of(*RULES),
    )
    otlp_endpoint: str = setting(
        "An OTLP receiver's HTTP address, for spans of functions whose tracing is Active.",
        default="",
    )
    role_token_audience: str = setting(
        "For whom tokens of ServiceAccounts that stand for roles are; empty: there are none.",
        default="",
    )
    port: int = setting("Where clients come.", default=8080)
    internal_port: int = setting("Where pods fetch packages.", default=8081)


@dataclass(frozen=True, slots=True)
class Settings(AwsSettings):
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
    otlp_endpoint: str = ""
    """Where spans go, by OTLP over HTTP; without it there are none."""
    one_port: bool = False
    """Whether the clients' port has the metrics, too: one machine has no other."""
    accounts_are_keys: bool = False
    """Whether an access key of 12 digits is its account (local mode), so that a role's is, too."""
    unlabelled_secrets: bool = False
    """Whether manifests that come here may name any Secret of their account (local mode: all are
    its user's own)."""
    longest_poll: float = 20.0
    """Seconds that an empty queue is waited on at once, and so that a drain may take; up to 20."""
    walls: Walls | None = None
    """Which subnets functions may name; None on one machine, which has neither walls nor claims."""
    hosts: Hosts = field(default_factory=Hosts)
    """Whose hosts are, for routes."""
