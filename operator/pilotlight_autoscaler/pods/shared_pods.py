"""Pods with several places: for environments of one revision, or for calls of one environment.

`environmentsPerPod` above 1 makes the one, `callsPerEnvironment` the other; either way a place is
leased like an environment, and called one here.

Decides on its state and does no I/O: who gets a place in which pod. `starts` opens the pods and
forks what takes the places. An environment that is given back waits here for its next claim; a pod
ends when nobody holds any of its environments.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.claims import RevisionKey
    from pilotlight.compute import Pod

__all__ = ["SharedPod", "SharedPods", "Sharing"]


Sharing = tuple["RevisionKey", bool]
"""Who may share a pod: environments of one revision, all of them provisioned, or none."""


@dataclass(slots=True, eq=False)
class SharedPod:
    """A pod with places."""

    sharing: Sharing
    places: int
    opened: asyncio.Future[Pod] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Done when the pod is specialised, or failed to be."""
    taken: int = 1
    """Environments that are, or are being started; spare ones included."""
    waiting: int = 0
    """Claims that wait for the pod."""
    spare: list[str] = field(default_factory=list)
    """Environments that nobody holds."""

    @property
    def used(self) -> int:
        """Count the environments that somebody holds, or waits for."""
        return self.taken - len(self.spare) + self.waiting

    @property
    def has_place(self) -> bool:
        """Whether one more claim finds a place."""
        return self.used < self.places


class SharedPods:
    """All of them, by who shares them and by name."""

    def __init__(self) -> None:
        self._of: dict[Sharing, list[SharedPod]] = {}
        self._of_pod: dict[str, SharedPod] = {}

    def find(self, sharing: Sharing) -> SharedPod | None:
        """Return the fullest pod that has a place, so that others may empty."""
        pods = [shared for shared in self._of.get(sharing, ()) if shared.has_place]
        return max(pods, key=lambda shared: shared.used, default=None)

    def open(self, sharing: Sharing, places: int) -> SharedPod:
        """Add a pod that is being started, its first place taken."""
        shared = SharedPod(sharing, places)
        self._of.setdefault(sharing, []).append(shared)
        return shared

    def opened(self, shared: SharedPod, pod: Pod, others: list[str]) -> None:
        """Note that a pod is there, and the environments that were started for those who wait."""
        self._of_pod[pod.name] = shared
        shared.taken += len(others)
        shared.spare += others
        shared.opened.set_result(pod)

    def failed(self, shared: SharedPod, error: BaseException) -> None:
        """Take away a pod that did not start; everybody who waits for it is told."""
        self._discard(shared)
        shared.opened.set_exception(error)
        shared.opened.exception()  # nobody may have waited

    def give_back(self, pod: str, environment: str) -> bool:
        """Note an environment that nobody holds any more; True where its pod is not needed."""
        shared = self._of_pod.get(pod)
        if shared is None:
            return True
        shared.spare.append(environment)
        return shared.used == 0

    def close(self, pod: str) -> None:
        """Take away a pod that is stopped or gone."""
        shared = self._of_pod.pop(pod, None)
        if shared is not None:
            self._discard(shared)

    def pods(self) -> set[str]:
        """Name the pods."""
        return set(self._of_pod)

    def _discard(self, shared: SharedPod) -> None:
        pods = self._of.get(shared.sharing, [])
        if shared in pods:
            pods.remove(shared)
        if not pods:
            self._of.pop(shared.sharing, None)
