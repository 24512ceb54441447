"""One coordination Lease: who leads, and since how many changes of the leader.

The operator holds it (`pilotlight_operator.leadership`); gateways read its holder, which is the
`host:port` of the leader's claims server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight.errors import AlreadyExistsError, ConflictError, NotFoundError

if TYPE_CHECKING:
    from .api import KubernetesApi

__all__ = ["KubernetesLease", "LeaseRecord"]


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says; an empty holder means that nobody leads."""

    holder: str = ""
    transitions: int = 0
    renewed: str = ""
    """When it was last renewed, by the holder's clock: only ever compared for equality."""
    acquired: str = ""
    stored: dict[str, Any] = field(default_factory=dict, repr=False)


class KubernetesLease:
    """A Lease of one namespace."""

    def __init__(self, api: KubernetesApi, namespace: str, name: str) -> None:
        self._api = api
        self._name = name
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"

    async def read(self) -> LeaseRecord:
        """Read it; an empty record where it is not there."""
        try:
            stored = await self._api.request("GET", self._path)
        except NotFoundError:
            return LeaseRecord()
        return _record(stored)

    async def write(
        self, before: LeaseRecord, *, holder: str, seconds: int, taken: bool = False
    ) -> LeaseRecord | None:
        """Renew it, or take it, if nobody wrote it since `before`; None where somebody did.

        Each taking counts, also that of a process which has the address of the one before it.
        """
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "renewTime": now,
            "acquireTime": now if taken or not before.acquired else before.acquired,
            "leaseTransitions": before.transitions + taken,
        }
        try:
            return _record(await self._send(before, spec))
        except (AlreadyExistsError, ConflictError, NotFoundError):
            return None

    async def _send(self, before: LeaseRecord, spec: dict[str, Any]) -> dict[str, Any]:
        if before.stored:
            body = {**before.stored, "spec": spec}
            return await self._api.request("PUT", self._path, body=body)
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name},
            "spec": spec,
        }
        return await self._api.request("POST", self._collection, body=body)


def _record(stored: dict[str, Any]) -> LeaseRecord:
    spec = stored.get("spec", {})
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        transitions=spec.get("leaseTransitions") or 0,
        renewed=spec.get("renewTime") or "",
        acquired=spec.get("acquireTime") or "",
        stored=stored,
    )
