"""A gateway's request for execution environments, and the leases that answer it.

Gateways see only `Claims`; in local mode the autoscaler's capacity service stands behind it in the
same process, on the cluster one long-lived connection to the leader
(`pilotlight_gateway.invocation.claims_client` to `pilotlight_autoscaler.claims.server`).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Protocol

from pydantic import PlainSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .resources import Key

__all__ = [
    "Claims",
    "Demand",
    "Holder",
    "Holders",
    "Lease",
    "ReleaseReason",
    "RevisionKey",
    "Source",
    "Start",
    "ToldRevision",
]

ReleaseReason = Literal["idle", "ended", "superseded", "shed", "handover"]
"""Why a gateway gives a lease back: it idled, is gone, its revision is old, a limit fell, or the
gateway ends and another one may go on with it."""


class RevisionKey(NamedTuple):
    """A revision of a function: what an environment runs."""

    namespace: str
    function: str
    """The function's object name."""
    revision: str
    tenant: str = ""
    """Whose environments they are alone; empty where the function isolates no tenants."""

    @property
    def of_all_tenants(self) -> RevisionKey:
        """The revision itself."""
        return self._replace(tenant="") if self.tenant else self

    def __str__(self) -> str:
        tenant = f" of tenant {self.tenant}" if self.tenant else ""
        return f"{self.namespace}/{self.function}@{self.revision}{tenant}"


def _serialise(revision: RevisionKey) -> list[str]:
    """Leave out a tenant that there is none of: the version before knows three parts."""
    return list(revision if revision.tenant else revision[:3])


ToldRevision = Annotated[RevisionKey, PlainSerializer(_serialise, return_type=list[str])]
"""A revision in messages."""


Source = Literal["provisioned", "recalled", "shared", "pool", "pod"]


@dataclass(frozen=True, slots=True)
class Start:
    """Where an environment came from, and what each step took, in seconds."""

    source: Source = "pod"
    """It stood ready, idled elsewhere, joined a pod of its revision, or got a generic pod or one
    of its own."""
    pod: float = 0.0
    """Until the pod was there."""
    specialise: float = 0.0
    """Until the pod had its revision; the next two are parts of it."""
    fetch: float = 0.0
    unpack: float = 0.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one gateway to use one environment until it gives it back."""

    id: str
    revision: ToldRevision
    environment: str
    pod: str
    """`namespace/name`, from which the agent's token is derived."""
    host: str
    port: int
    epoch: int
    """The agent refuses a lease older than the newest it has seen."""
    provisioned: bool = False
    """Whether the environment was initialised before anyone asked."""
    start: Start = field(default_factory=Start)


class Holder(Protocol):
    """A gateway's own table, as whoever grants leases sees it."""

    def held(self) -> list[Lease]:
        """Return every lease that is held."""
        ...

    def recall(self, leases: list[str], *, rested: bool = False) -> str | None:
        """Give up one idle environment of these at once; None where all of them run.

        `rested`: only one that has idled for longer than it usually does between two calls.
        """
        ...

    def shed(self, leases: list[str], count: int) -> int:
        """Give up that many of these, idle ones first, running ones once they end; gives how many.

        Each comes back as a release.
        """
        ...


class Demand:
    """That somebody waits for what is claimed; until a pod is begun for it, it can be withdrawn."""

    def __init__(self) -> None:
        self.withdrawn = False
        self._let_go: Callable[[], None] | None = None

    def withdraw(self) -> None:
        """Say that nobody waits any more: a claim that still waits ends with WithdrawnError."""
        self.withdrawn = True
        if self._let_go is not None:
            self._let_go()

    @contextmanager
    def waiting(self, let_go: Callable[[], None]) -> Iterator[None]:
        """Have `let_go` called where it is withdrawn while the block lasts, or was before."""
        self._let_go = let_go
        if self.withdrawn:
            let_go()
        try:
            yield
        finally:
            self._let_go = None


class Claims(Protocol):
    """Where a gateway gets environments from."""

    def bind(self, holder: Holder) -> None:
        """Say whom to ask for what this gateway holds."""
        ...

    async def claim(
        self, revision: RevisionKey, *, seconds: float, demand: Demand | None = None
    ) -> Lease:
        """Return one environment within that time.

        Raises ThrottledError, RevisionGoneError, StartFailedError, UnavailableError, and
        WithdrawnError where the demand was withdrawn in time.
        """
        ...

    async def withdraw(self, demand: Demand) -> None:
        """Say that nobody waits any more for what was claimed; it may come even so."""
        ...

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Give an environment back."""
        ...

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Say that this gateway routes the function to that revision from now on."""
        ...


class Holders(Protocol):
    """All gateways: `Holder`, one wire further."""

    async def recall(self, gateway: str, leases: list[str], *, rested: bool = False) -> str | None:
        """Ask a gateway for one idle environment of these."""
        ...

    async def shed(self, gateway: str, leases: list[str], count: int) -> int:
        """Ask a gateway for that many of these."""
        ...
