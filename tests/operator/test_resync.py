"""The look at everything: account ids, runtimes, and functions that no event told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.accounts import Accounts
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Function, Key, Namespace, ObjectMeta, Runtime, RuntimeSpec
from pilotlight_operator.resync import Resync
from pilotlight_operator.services.accounts import AccountService
from pilotlight_operator.services.artifacts import ArtifactService
from pilotlight_operator.services.runtimes import RuntimeService

if TYPE_CHECKING:
    from .conftest import Platform

WANTED = {"python3.13": RuntimeSpec(image="newer"), "python3.14": RuntimeSpec(image="other")}


def _resync(platform: Platform, touched: list[Key], *namespaces: str) -> Resync:
    resources = platform.resources
    return Resync(
        resources,
        AccountService(Accounts(resources)),
        RuntimeService(resources),
        namespaces or ("team",),
        WANTED,
        {Function: touched.append},
    )


async def test_a_change_that_nobody_told_of_is_found(platform: Platform) -> None:
    await platform.apply("settled")
    await platform.reconcile("settled")
    await platform.apply("missed")
    touched: list[Key] = []
    await _resync(platform, touched).run()
    assert touched == [Key("team", "missed")]


async def test_runtimes_become_what_the_values_say_and_others_stay(platform: Platform) -> None:
    mine = Runtime(metadata=ObjectMeta(name="ruby3.4"), spec=RuntimeSpec(image="mine"))
    await platform.resources.create(mine)
    await _resync(platform, []).run()
    images = {one.metadata.name: one.spec.image for one in await platform.resources.list(Runtime)}
    assert images == {"python3.13": "newer", "python3.14": "other", "ruby3.4": "mine"}


async def test_a_second_look_writes_nothing(platform: Platform) -> None:
    await _resync(platform, []).run()
    writes = platform.writes.count
    await _resync(platform, []).run()
    assert platform.writes.count == writes


async def test_a_namespace_without_an_id_hinders_no_other(platform: Platform) -> None:
    bad = ObjectMeta(name="bad", labels={ACCOUNT_LABEL: "not twelve digits"})
    await platform.resources.create(Namespace(metadata=bad))
    await _resync(platform, [], "missing", "bad", "team").run()
    team = await platform.resources.get(Namespace, Key("", "team"))
    assert len(team.metadata.labels[ACCOUNT_LABEL]) == 12


async def test_only_packages_without_a_function_are_collected(platform: Platform) -> None:
    await platform.apply()
    await platform.reconcile()
    served = set(platform.artifacts.held)
    platform.artifacts.held["unused"] = b""
    assert await ArtifactService(platform.resources, platform.artifacts).collect() == 1
    assert set(platform.artifacts.held) == served
