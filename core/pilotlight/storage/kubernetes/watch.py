"""Follows one collection of the Kubernetes API for ever: list, watch, and list again when needed.

What a watch cannot tell (events lost over a disconnect, a version that expired) is found by listing
anew and comparing, so whoever follows hears of every object that came or went. A watch is short on
purpose: a connection that fell silent is noticed within a minute. `resources` and the
operator's pods follow collections through here.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import structlog

from pilotlight.errors import PilotlightError

from .api import WatchExpiredError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .api import Json, KubernetesApi

__all__ = ["Collection", "RawChange", "follow", "list_all"]

WATCH_SECONDS = 50
"""After which the server ends a watch, and it goes on from where it was."""
SILENCE_SECONDS = 60.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
PAGE = "500"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Collection:
    """What is listed and watched: a path, and selectors that narrow it."""

    path: str
    selectors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawChange:
    """A `Change` whose object is still JSON; of one that went its metadata are sure to be there."""

    kind: Literal["present", "gone", "synced"]
    object: Json = field(default_factory=dict)


async def list_all(api: KubernetesApi, collection: Collection) -> tuple[list[Json], str]:
    """List a collection, page by page; give its items and the version they are of."""
    items: list[Json] = []
    query = {**collection.selectors, "limit": PAGE}
    while True:
        page = await api.request("GET", collection.path, query=query)
        items += page["items"]
        metadata = page["metadata"]
        if not metadata.get("continue"):
            return items, metadata["resourceVersion"]
        query["continue"] = metadata["continue"]


async def follow(api: KubernetesApi, collection: Collection) -> AsyncGenerator[RawChange, None]:
    """Tell what is there, then `synced` once, then every change; never ends by itself."""
    known: dict[str, Json] = {}  # by uid, and no more of it than tells whether it changed
    synced = False
    delay = FIRST_DELAY
    while True:
        try:
            items, version = await list_all(api, collection)
            for change in _differences(known, items):
                yield change
            if not synced:
                yield RawChange("synced")
            synced, delay = True, FIRST_DELAY
            async for change in _events(api, collection, version):
                _note(known, change.object, gone=change.kind == "gone")
                yield change
        except WatchExpiredError:
            continue
        except PilotlightError as error:
            log.warning("watch interrupted", path=collection.path, error=str(error), delay=delay)
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311  spreads retries
            delay = min(delay * 2, LONGEST_DELAY)


async def _events(
    api: KubernetesApi, collection: Collection, version: str
) -> AsyncGenerator[RawChange, None]:
    """Watch from a version on, over and over, until something fails."""
    query = {**collection.selectors, "watch": "true", "allowWatchBookmarks": "true"}
    query["timeoutSeconds"] = str(WATCH_SECONDS)
    while True:
        query["resourceVersion"] = version
        async for event in api.stream(collection.path, query=query, seconds=SILENCE_SECONDS):
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                yield RawChange(
                    "gone" if event["type"] == "DELETED" else "present", event["object"]
                )


def _differences(known: dict[str, Json], items: list[Json]) -> list[RawChange]:
    """Compare a list with what was known, which becomes the list."""
    listed = {item["metadata"]["uid"]: item for item in items}
    gone = [RawChange("gone", known[uid]) for uid in known if uid not in listed]
    present = [RawChange("present", item) for item in items if _is_new(known, item)]
    known.clear()
    for item in items:
        _note(known, item, gone=False)
    return gone + present


def _is_new(known: dict[str, Json], item: Json) -> bool:
    before = known.get(item["metadata"]["uid"])
    versions = "resourceVersion"
    return before is None or before["metadata"][versions] != item["metadata"][versions]


def _note(known: dict[str, Json], item: Json, *, gone: bool) -> None:
    metadata = item["metadata"]
    if gone:
        known.pop(metadata["uid"], None)
    else:
        kept = {name: metadata[name] for name in _IDENTITY if name in metadata}
        known[metadata["uid"]] = {"metadata": kept}


_IDENTITY = ("namespace", "name", "uid", "resourceVersion")
