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
    from collections.abc import Iterator, Mapping

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


_Place = tuple[str, str]
"""A pod and an environment of it."""


class Stock:
    """The provisioned environments of all revisions."""

    def __init__(self) -> None:
        self._starting: Counter[RevisionKey] = Counter()
        self.failures: dict[RevisionKey, str] = {}
        """Why the last start failed, until one succeeds."""
        self._wanted: dict[RevisionKey, int] = {}
        self._ready: dict[RevisionKey, deque[Lease]] = {}
        self._there: dict[_Place, RevisionKey] = {}
        self._closed: set[str] = set()
        """Pods that are being stopped, in which something may run still."""

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
        return {*self._wanted, *self._there.values()}

    def pods(self) -> set[str]:
        """Name the pods."""
        return {pod for pod, _ in self._there}

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
        return sum(1 for one in self._there.values() if one == revision)

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
        self._there[_place(lease)] = lease.revision
        self._ready.setdefault(lease.revision, deque()).append(lease)
        self.failures.pop(lease.revision, None)

    def learn(self, lease: Lease) -> None:
        """Take in an environment that a gateway holds."""
        self.leave(lease)
        self._there[_place(lease)] = lease.revision

    def take(self, revision: RevisionKey) -> Lease | None:
        """Return one that stands ready: the one that was used last."""
        ready = self._ready.get(revision)
        return ready.pop() if ready else None

    def take_back(self, lease: Lease) -> bool:
        """Take an environment back; False where it is not wanted any more."""
        if _place(lease) not in self._there or lease.pod in self._closed:
            return False
        if self.there(lease.revision) > self._wanted.get(lease.revision, 0):
            return False
        ready = replace(lease, start=Start("provisioned"))
        self._ready.setdefault(lease.revision, deque()).append(ready)
        return True

    def close(self, pod: str) -> None:
        """Note that a pod is being stopped: what is in use counts until it is given back."""
        self._closed.add(pod)
        for lease in [one for ready in self._ready.values() for one in ready if one.pod == pod]:
            self.leave(lease)

    def forget(self, pod: str) -> None:
        """Note that a pod is gone."""
        for place in [place for place in self._there if place[0] == pod]:
            self._drop(place)

    def leave(self, lease: Lease) -> None:
        """Note that one is wanted no more."""
        self._drop(_place(lease))

    def _drop(self, place: _Place) -> None:
        revision = self._there.pop(place, None)
        if revision is not None and revision in self._ready:
            kept = deque(one for one in self._ready[revision] if _place(one) != place)
            self._ready[revision] = kept
        if place[0] not in self.pods():
            self._closed.discard(place[0])

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


def _place(lease: Lease) -> _Place:
    return lease.pod, lease.environment
