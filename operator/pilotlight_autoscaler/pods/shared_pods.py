"""Pods that hold several environments of one revision (`environmentsPerPod` above 1).

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

__all__ = ["Room", "Rooms"]


@dataclass(slots=True, eq=False)
class Room:
    """A pod with places."""

    revision: RevisionKey
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


class Rooms:
    """All rooms, by revision and by pod."""

    def __init__(self) -> None:
        self._of_revision: dict[RevisionKey, list[Room]] = {}
        self._of_pod: dict[str, Room] = {}

    def find(self, revision: RevisionKey) -> Room | None:
        """Return the fullest room of a revision that has a place, so that others may empty."""
        rooms = [room for room in self._of_revision.get(revision, ()) if room.has_place]
        return max(rooms, key=lambda room: room.used, default=None)

    def open(self, revision: RevisionKey, places: int) -> Room:
        """Add a room whose pod is being started, its first place taken."""
        room = Room(revision, places)
        self._of_revision.setdefault(revision, []).append(room)
        return room

    def opened(self, room: Room, pod: Pod, others: list[str]) -> None:
        """Note the pod of a room, and the environments that were started for those who wait."""
        self._of_pod[pod.name] = room
        room.taken += len(others)
        room.spare += others
        room.opened.set_result(pod)

    def failed(self, room: Room, error: BaseException) -> None:
        """Take away a room whose pod did not start; everybody who waits for it is told."""
        self._discard(room)
        room.opened.set_exception(error)
        room.opened.exception()  # nobody may have waited

    def give_back(self, pod: str, environment: str) -> bool:
        """Note an environment that nobody holds any more; True where its pod is not needed."""
        room = self._of_pod.get(pod)
        if room is None:
            return True
        room.spare.append(environment)
        return room.used == 0

    def close(self, pod: str) -> None:
        """Take away the room of a pod that is stopped or gone."""
        room = self._of_pod.pop(pod, None)
        if room is not None:
            self._discard(room)

    def pods(self) -> set[str]:
        """Name the pods."""
        return set(self._of_pod)

    def _discard(self, room: Room) -> None:
        rooms = self._of_revision.get(room.revision, [])
        if room in rooms:
            rooms.remove(room)
        if not rooms:
            self._of_revision.pop(room.revision, None)
