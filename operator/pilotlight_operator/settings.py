"""What an operator process is told: by the chart's environment variables, or by options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.cluster_settings import ClusterSettings
from pilotlight.settings import names, setting

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OperatorSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings(ClusterSettings):
    """An operator's settings."""

    address: str = setting("This pod's own, at which gateways find the leader.")
    artifact_url: str = setting("Where pods fetch packages, {sha256} standing for the address.")
    runtimes_file: Path | None = setting("Runtimes by name, as JSON.", default=None)  # noqa: RUF009  a field
    least_cpu: float = setting(
        "CPUs a pod may use even where its memory stands for less: starting is all CPU.",
        default=0.5,
    )
    cpu_request: float = setting("Part of the CPU limit that is requested.", default=0.02)
    pull_secret: str = setting("The Secret that images are pulled with.", default="")
    private_registries: tuple[str, ...] = setting(
        "host:port, by commas, of registries in private networks; http://host:port without TLS.",
        default=(),
        parse=names,
    )
    claims_port: int = setting("Where gateways claim environments.", default=8090)
