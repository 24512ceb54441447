"""What a gateway is told at its start."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """A gateway's settings."""

    region: str
    platform_key: bytes
    gateway: str = "local"
    """This gateway's own name, unique among those that run."""
    concurrency_limit: int = 1000
    """Environments that an account may have."""
    most_claims: int = 64
    """Claims of one function that may be under way at once."""
    url_domain: str = "localhost"
    """What hosts of function URLs end in: `<id>.lambda-url.<region>.<domain>`."""
    private_destinations: bool = False
    """Whether events may be told to HTTP addresses in private networks."""
    aws_endpoint_url: str = ""
    """Where SQS, SNS, EventBridge and S3 are; empty: at AWS."""
    public_url: str = ""
    """Where clients reach the gateway, for addresses in answers; empty: as they came."""
