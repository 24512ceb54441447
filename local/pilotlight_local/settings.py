"""What a local platform is told; `pilotlight dev` has the options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .environments import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pilotlight.storage import LogLine

__all__ = ["LocalSettings"]


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What `pilotlight dev` is told."""

    state: Path
    port: int = 9001
    listen: str = "127.0.0.1"
    """An address of this machine; in a container all of them, since nobody else is there."""
    account: str = "000000000000"
    region: str = "us-east-1"
    aws_endpoint_url: str | None = None
    aws_endpoint_urls: Mapping[str, str] = field(default_factory=dict)
    """Where single services are that are polled, by their name in AWS's hosts."""
    otlp_endpoint: str = ""
    """Where spans go; without it there are none."""
    function_url: Literal["path", "host"] = "path"
    """Which addresses of function URLs are told: a host of their own below `localhost` resolves in
    curl and browsers, and in few SDKs."""
    engine: str = ""
    """Which tool runs container images; empty: whichever has the image."""
    cache: Path = field(default_factory=cache_folder)
    """Where environments of functions' interpreters are kept, for all platforms of this person."""
    tell: Callable[[str], None] = field(default=lambda _: None)
    """Gets what a person must know of the machine, a line each; from any thread."""
    echo: Callable[[Sequence[LogLine]], None] = field(default=lambda _: None)
    """Gets every log line as it comes."""
