"""What must be there whatever users do: account ids, runtimes, and no packages that nobody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight.accounts import Accounts
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Key, Namespace, ObjectMeta, Runtime, RuntimeSpec
from pilotlight_operator.services.accounts import AccountService
from pilotlight_operator.services.artifacts import ArtifactService
from pilotlight_operator.services.runtimes import RuntimeService

if TYPE_CHECKING:
    from .conftest import Platform

WANTED = {"python3.13": RuntimeSpec(image="newer"), "python3.14": RuntimeSpec(image="other")}


async def ensure(platform: Platform, *namespaces: str) -> None:
    """Look once, as the controller does every half a minute."""
    await AccountService(Accounts(platform.cache)).ensure(namespaces or ("team",))
    await RuntimeService(platform.cache).ensure(WANTED)


@pytest.mark.parametrize("synced", [False, True])
async def test_runtimes_become_what_the_values_say(platform: Platform, synced: bool) -> None:  # noqa: FBT001  a table's column
    """Whether the cache knows them already or not; others stay."""
    mine = Runtime(metadata=ObjectMeta(name="ruby3.4"), spec=RuntimeSpec(image="mine"))
    await platform.resources.create(mine)
    if synced:
        await platform.cache.refresh()
    await ensure(platform)
    images = {one.metadata.name: one.spec.image for one in await platform.resources.list(Runtime)}
    assert images == {"python3.13": "newer", "python3.14": "other", "ruby3.4": "mine"}


async def test_a_second_look_writes_nothing(platform: Platform) -> None:
    await ensure(platform)
    writes = platform.writes.count
    await ensure(platform)
    assert platform.writes.count == writes


async def test_a_namespace_without_an_id_hinders_no_other(platform: Platform) -> None:
    bad = ObjectMeta(name="bad", labels={ACCOUNT_LABEL: "not twelve digits"})
    await platform.resources.create(Namespace(metadata=bad))
    await ensure(platform, "missing", "bad", "team")
    team = await platform.resources.get(Namespace, Key("", "team"))
    assert len(team.metadata.labels[ACCOUNT_LABEL]) == 12


async def test_only_packages_without_a_function_are_collected(platform: Platform) -> None:
    """What the watch has not told yet is used, too."""
    await platform.apply()
    await platform.reconcile()
    await platform.apply("later", code={"zip": "ab" * 32})
    used = set(platform.artifacts.held) | {"ab" * 32}
    platform.artifacts.held |= {"ab" * 32: b"", "unused": b""}
    assert await ArtifactService(platform.cache, platform.artifacts).collect() == 1
    assert set(platform.artifacts.held) == used
