"""Which revisions are served: what the watch has told, and what is read for who cannot wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight.cache import Cache
from pilotlight.claims import RevisionKey
from pilotlight.errors import RevisionGoneError
from pilotlight.publishing import publish, version_revision
from pilotlight.resources import Function, FunctionVersion, Key
from pilotlight_autoscaler.pods.served import Served

if TYPE_CHECKING:
    from tests.autoscaler.conftest import Stage


async def test_all_claims_of_a_new_version_find_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is read once, and whoever comes meanwhile waits for what it says."""
    function = await stage.resources.get(Function, Key("default", "f"))
    version = await publish(stage.cache, function)
    behind = Cache(stage.resources, Function, FunctionVersion)
    refresh, read = behind.refresh, 0

    async def slowly(kind: type[FunctionVersion], namespace: str | None = None) -> None:
        nonlocal read
        read += 1
        await asyncio.sleep(0.01)
        await refresh(kind, namespace=namespace)

    monkeypatch.setattr(behind, "refresh", slowly)
    served = Served(behind, lambda _: None)
    revision = version_revision(version)
    found = await asyncio.gather(*(served.find(revision) for _ in range(4)))
    assert {one.configuration == version.spec.configuration for one in found} == {True}
    assert read == 1
    with pytest.raises(RevisionGoneError):
        await served.find(RevisionKey("default", "f", "2" * 16))
