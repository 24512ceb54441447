"""What a mirror holds is what the store holds, whatever a watch has missed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pilotlight.resources import Key, Namespace, ObjectMeta
from pilotlight.storage import Change, Mirror

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Script:
    """A store whose watch tells what a test has written down, then falls silent."""

    def __init__(self, *changes: Change[Namespace]) -> None:
        self._changes = changes
        self.told = asyncio.Event()

    async def watch(
        self, _kind: type[Namespace], _namespace: str | None
    ) -> AsyncGenerator[Change[Namespace], None]:
        for change in self._changes:
            yield change
        self.told.set()
        await asyncio.Event().wait()


def named(name: str) -> Namespace:
    return Namespace(metadata=ObjectMeta(name=name))


async def test_what_a_watch_does_not_tell_is_gone_once_it_is_synced() -> None:
    script: Any = Script(
        Change("present", named("stays")), Change("present", named("goes")),
        Change("synced"), Change("gone", named("goes")),
        Change("synced"), Change("present", named("comes")),
    )  # fmt: skip
    heard: list[tuple[str | None, str | None]] = []
    mirror = Mirror(
        script, Namespace, lambda before, after: heard.append((_name(before), _name(after)))
    )
    mirror.note(Key("", "stale"), named("stale"))
    following = asyncio.create_task(mirror.run())
    await script.told.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert mirror.synced.is_set()
    assert [key.name for key in mirror.held] == ["stays", "comes"]
    assert heard == [
        (None, "stale"), (None, "stays"), (None, "goes"), ("stale", None), ("goes", None),
        (None, "comes"),
    ]  # fmt: skip


def _name(namespace: Namespace | None) -> str | None:
    return namespace.metadata.name if namespace else None
