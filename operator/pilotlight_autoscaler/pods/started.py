"""What a start comes to: environments in a pod, and the lease of the first (`starts`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pilotlight.claims import Lease, RevisionKey, Start
from pilotlight.errors import StartFailedError

if TYPE_CHECKING:
    from pilotlight.compute import Pod
    from pilotlight_wire.specialisation import Specialised

__all__ = ["Started", "identities"]


@dataclass(frozen=True, slots=True)
class Started:
    """Environments that were just started; the first is whose start it was."""

    pod: Pod
    environments: list[str]
    start: Start

    def lease(self, revision: RevisionKey, *, provisioned: bool) -> Lease:
        """Return the lease of it, before anyone holds it."""
        return Lease(
            id="",
            revision=revision,
            environment=self.environments[0],
            pod=self.pod.name,
            host=self.pod.host,
            port=self.pod.port,
            epoch=0,
            provisioned=provisioned,
            start=replace(self.start, source="provisioned") if provisioned else self.start,
        )


def identities(pod: Pod, specialised: Specialised) -> list[str]:
    """Name what a pod started first; raises StartFailedError where that is nothing."""
    if not specialised.environments:
        raise StartFailedError(
            f"pod {pod.name} was specialised and started no environment", reason="InternalError"
        )
    return [one.id for one in specialised.environments]
