"""How far provisioned concurrency is, as the autoscaler tells it, for the statuses of resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pilotlight.resources import ProvisionedStatus, now

if TYPE_CHECKING:
    from pilotlight.claims import RevisionKey

__all__ = ["Provisioning", "look_again", "provisioned_status"]

PROGRESS_SECONDS = 1.0
FOLLOW_SECONDS = 15.0
"""Between two looks at what changes without an event."""


class Provisioning(Protocol):
    """Knows the provisioned environments."""

    async def state(self, revision: RevisionKey) -> ProvisionedStatus:
        """Say how far a revision is, all that ask for it together."""
        ...


def look_again(provisioned: ProvisionedStatus | None, *, settled: bool) -> float | None:
    """Say when to look at a resource again, None where nothing of it changes without an event."""
    if provisioned is not None and provisioned.status != "READY":
        return PROGRESS_SECONDS
    return None if settled and provisioned is None else FOLLOW_SECONDS


async def provisioned_status(
    provisioning: Provisioning,
    revision: RevisionKey,
    requested: int | None,
    before: ProvisionedStatus | None,
) -> ProvisionedStatus | None:
    """Return the status of one request; None where none is made."""
    if requested is None:
        return None
    state = await provisioning.state(revision)
    unchanged = before is not None and before.requested == requested
    return ProvisionedStatus(
        requested=requested,
        allocated=min(requested, state.allocated),
        available=min(requested, state.available),
        # The autoscaler may not have seen the request yet.
        status="IN_PROGRESS" if state.requested < requested else state.status,
        status_reason=state.status_reason,
        last_modified=before.last_modified if before and unchanged else now(),
    )
