"""Provisioned concurrency: environments of versions that are initialised before anyone asks.

A stock of what stands ready, and `decide`, pure, which says what it lacks. `provisioned.keeper`
carries decisions out, `capacity` grants from the stock first. What is wanted counts against the
function's cap from the moment that it is wanted, so nobody else takes it (AWS Lambda Developer
Guide, "Configuring provisioned concurrency").
"""

from __future__ import annotations

from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pilotlight.claims import Start
from pilotlight.resources import ProvisionedStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pilotlight.claims import Lease, RevisionKey

__all__ = ["Decision", "Stock", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one revision."""

    start: int = 0
    stop: int = 0
    """Idle environments that are not wanted any more."""


def decide(wanted: int, *, live: int, starting: int, ready: int) -> Decision:
    """Compare what is wanted of a revision with what there is; what is in use is never stopped."""
    missing = wanted - live - starting
    if missing >= 0:
        return Decision(start=missing)
    return Decision(stop=min(-missing, ready))


class Stock:
    """The provisioned environments of all revisions."""

    def __init__(self) -> None:
        self._starting: Counter[RevisionKey] = Counter()
        self.failures: dict[RevisionKey, str] = {}
        """Why the last start failed, until one succeeds."""
        self._wanted: dict[RevisionKey, int] = {}
        self._ready: dict[RevisionKey, deque[Lease]] = {}
        self._pods: dict[str, RevisionKey] = {}

    def want(self, wanted: Mapping[RevisionKey, int]) -> set[RevisionKey]:
        """Say how many environments of which revisions are wanted, and of no other.

        Gives those of which more are wanted than before.
        """
        before = self._wanted
        self._wanted = {revision: count for revision, count in wanted.items() if count > 0}
        for revision in self.failures.keys() - self._wanted.keys():
            del self.failures[revision]
        return {one for one, count in self._wanted.items() if count > before.get(one, 0)}

    def revisions(self) -> set[RevisionKey]:
        """Return the revisions of which something is wanted or there."""
        return {*self._wanted, *self._pods.values()}

    def pods(self) -> Iterable[str]:
        """Name the pods."""
        return self._pods

    def decide(self, revision: RevisionKey) -> Decision:
        """Say what a revision lacks or has too many of."""
        return decide(
            self._wanted.get(revision, 0),
            live=self.live(revision),
            starting=self._starting[revision],
            ready=self.ready(revision),
        )

    def ready(self, revision: RevisionKey) -> int:
        """Count a revision's environments that nobody uses."""
        return len(self._ready.get(revision, ()))

    def live(self, revision: RevisionKey) -> int:
        """Count a revision's environments, in use or not."""
        return sum(1 for one in self._pods.values() if one == revision)

    def there(self, revision: RevisionKey) -> int:
        """Count a revision's environments, those that start included."""
        return self.live(revision) + self._starting[revision]

    def reserved(self, revision: RevisionKey) -> int:
        """Count what a revision takes of its cap: what is wanted, or more while that falls."""
        return max(self._wanted.get(revision, 0), self.there(revision))

    @contextmanager
    def starting_one(self, revision: RevisionKey) -> Iterator[None]:
        """Count an environment that starts for as long as the block lasts."""
        self._starting[revision] += 1
        try:
            yield
        finally:
            self._starting[revision] -= 1

    def add(self, lease: Lease) -> None:
        """Take in an environment that was started; it stands ready."""
        self._pods[lease.pod] = lease.revision
        self._ready.setdefault(lease.revision, deque()).append(lease)
        self.failures.pop(lease.revision, None)

    def learn(self, lease: Lease) -> None:
        """Take in an environment that a gateway holds."""
        self.forget(lease.pod)
        self._pods[lease.pod] = lease.revision

    def take(self, revision: RevisionKey) -> Lease | None:
        """Return one that stands ready: the one that was used last."""
        ready = self._ready.get(revision)
        return ready.pop() if ready else None

    def take_back(self, lease: Lease) -> bool:
        """Take an environment back; False where it is not wanted any more."""
        if lease.pod not in self._pods:
            return False
        if self.there(lease.revision) > self._wanted.get(lease.revision, 0):
            return False
        ready = replace(lease, start=Start("provisioned"))
        self._ready.setdefault(lease.revision, deque()).append(ready)
        return True

    def forget(self, pod: str) -> None:
        """Note that a pod is gone, or is being stopped."""
        revision = self._pods.pop(pod, None)
        if revision is not None and revision in self._ready:
            kept = deque(one for one in self._ready[revision] if one.pod != pod)
            self._ready[revision] = kept

    def state(self, revision: RevisionKey) -> ProvisionedStatus:
        """Say how far a revision is, in Lambda's words."""
        requested, live = self._wanted.get(revision, 0), self.live(revision)
        if live >= requested:
            return ProvisionedStatus(
                requested=requested, allocated=live, available=live, status="READY"
            )
        failure = self.failures.get(revision)
        return ProvisionedStatus(
            requested=requested,
            allocated=self.there(revision),
            available=live,
            status="IN_PROGRESS" if failure is None else "FAILED",
            status_reason=failure,
        )
