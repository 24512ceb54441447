"""Kubernetes Events: what `kubectl describe` should tell beside conditions.

`ConditionEvents` hears of every change in the cache and tells of those that changed why something
is ready or not, `ClaimEvents` of functions that get no environment; whatever else has something to
say of a resource calls `KubernetesEvents.note`.
Events are for people: none is waited for, and one that cannot be written is not tried again.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import structlog

from pilotlight.errors import NotFoundError, PilotlightError, StartFailedError, ThrottledError
from pilotlight.resources import Function, Key, find_condition, now
from pilotlight.storage.kubernetes.api import MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight.cache import Cache
    from pilotlight.claims import RevisionKey
    from pilotlight.resources import Condition, Resource
    from pilotlight.storage.kubernetes.api import KubernetesApi

__all__ = ["ClaimEvents", "ConditionEvents", "KubernetesEvents"]

LONGEST_MESSAGE = 1024
"""What the API takes."""
MOST_WAITING = 500
MOST_SERIES = 2000
"""Events that are remembered, to be counted up instead of told again."""
SERIES_SECONDS = 60.0
"""The same of one resource is told so often at most."""

log = structlog.get_logger()


class _Note(NamedTuple):
    resource: Resource
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    series: str
    """What is told once and counted up then."""


class _Series:
    """An event that was told, and how often it was noted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.told_at = float("-inf")


class KubernetesEvents:
    """Writes events in the order in which they are noted."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._notes: asyncio.Queue[_Note] = asyncio.Queue(MOST_WAITING)
        self._series: dict[tuple[str, str], _Series] = {}

    def note(
        self,
        resource: Resource,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        *,
        series: str | None = None,
    ) -> None:
        """Have something told of a resource soon; dropped where too much is to be told.

        The same again is counted up; what is the same, `series` says where messages differ.
        """
        if not self._notes.full():
            same = reason + message if series is None else series
            self._notes.put_nowait(_Note(resource, kind, reason, message, same))

    async def run(self) -> None:
        """Write what is noted, for ever."""
        while True:
            note = await self._notes.get()
            try:
                await self._tell(note)
            except PilotlightError as error:
                log.warning("event not written", reason=note.reason, error=str(error))

    async def _tell(self, note: _Note) -> None:
        series = self._series_of(note)
        series.count += 1
        clock = asyncio.get_running_loop().time
        if clock() - series.told_at < SERIES_SECONDS:
            return
        series.told_at = clock()
        if series.count > 1 and await self._count_up(note, series):
            return
        body = _event(note, series)
        await self._api.request("POST", _path(note), body=body)

    def _series_of(self, note: _Note) -> _Series:
        key = (note.resource.metadata.uid or "", note.series)
        if key not in self._series:
            if len(self._series) >= MOST_SERIES:
                del self._series[next(iter(self._series))]
            name = f"{note.resource.metadata.name[:200]}.{uuid.uuid4().hex[:12]}"
            self._series[key] = _Series(name)
        return self._series[key]

    async def _count_up(self, note: _Note, series: _Series) -> bool:
        """Whether the event is still there: the API server forgets it after an hour."""
        body = {"count": series.count, "lastTimestamp": now(), "message": _short(note.message)}
        path = f"{_path(note)}/{series.name}"
        try:
            await self._api.request("PATCH", path, body=body, content_type=MERGE_PATCH)
        except NotFoundError:
            return False
        return True


class ConditionEvents:
    """Tells why resources became ready, or ceased to be."""

    def __init__(self, cache: Cache, events: KubernetesEvents) -> None:
        self._cache, self._events = cache, events

    def follow(self, kinds: Iterable[type[Resource]]) -> None:
        """Hear of changes from now on; what a resource says already is no news."""
        for kind in kinds:
            self._cache.on_change(kind, self._changed)

    def _changed(self, before: Resource | None, after: Resource | None) -> None:
        if before is None or after is None:
            return
        said, says = _ready(before), _ready(after)
        if says is None or says.status == "Unknown":
            return
        if said is None or (said.status, said.reason) != (says.status, says.reason):
            kind: Literal["Normal", "Warning"] = "Normal" if says.status == "True" else "Warning"
            self._events.note(after, kind, says.reason, says.message)


class ClaimEvents:
    """Tells of functions that get no environment, for a limit, for room or for what is theirs."""

    def __init__(self, cache: Cache, events: KubernetesEvents) -> None:
        self._cache, self._events = cache, events

    def refused(self, revision: RevisionKey, error: PilotlightError) -> None:
        """Note that a claim was refused, and why."""
        function = self._cache.get(Function, Key(revision.namespace, revision.function))
        if function is None:
            return
        if isinstance(error, ThrottledError):
            said = f"{error} ({error.reason})"
            self._events.note(function, "Warning", "Throttled", said, series="Throttled")
        elif isinstance(error, StartFailedError):
            said = f"{error} ({error.reason})"
            self._events.note(function, "Warning", "StartFailed", said, series="StartFailed")


def _ready(resource: Any) -> Condition | None:
    """Return a resource's condition Ready; all kinds that are followed have conditions."""
    return find_condition(resource.status.conditions, "Ready")


def _path(note: _Note) -> str:
    return f"/api/v1/namespaces/{note.resource.metadata.namespace}/events"


def _event(note: _Note, series: _Series) -> dict[str, Any]:
    metadata = note.resource.metadata
    return {
        "metadata": {"name": series.name, "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": note.resource.api_version,
            "kind": note.resource.kind_name,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
        },
        "type": note.type,
        "reason": note.reason,
        "message": _short(note.message),
        "count": series.count,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "source": {"component": "pilotlight"},
    }


def _short(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
