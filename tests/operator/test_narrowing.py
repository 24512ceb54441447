"""A generic pod becomes as small as its function: later, and while nobody waits for pods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.claims import RevisionKey
from pilotlight.compute import PodRequest
from pilotlight.resources import ObjectMeta, Runtime, RuntimeSpec
from pilotlight_autoscaler.quiet import PAUSE_SECONDS, Quiet
from pilotlight_operator.manifests.pod import PodSettings
from pilotlight_operator.storage.pods import NARROW_SECONDS, KubernetesCompute
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from pilotlight.storage.kubernetes.api import KubernetesApi

pytestmark = pytest.mark.looptime
REQUEST = PodRequest(
    namespace="team", runtime="python3.13", memory=256, ephemeral_storage=512,
    revision=RevisionKey("team", "f", "1" * 16),
)  # fmt: skip


class Patches:
    """Keeps the paths of what was patched."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def request(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        assert method == "PATCH"
        self.paths.append(path.rpartition("/pods/")[2])
        return {}


async def test_a_pod_is_narrowed_once_nobody_waits_for_pods() -> None:
    resources, api, quiet = MemoryResources(), Patches(), Quiet()
    runtime = Runtime(
        metadata=ObjectMeta(name="python3.13"), spec=RuntimeSpec(image="registry/python3.13:1")
    )
    await resources.create(runtime)
    compute = KubernetesCompute(
        cast("KubernetesApi", api), resources, ["team"], b"key", PodSettings()
    )
    compute.give_way(quiet.wait)
    with quiet.demand():
        await compute.assign("team/p", REQUEST)
        assert api.paths == ["p"], "whose it is is written down"
        await asyncio.sleep(2 * NARROW_SECONDS)
        assert api.paths == ["p"]
    await asyncio.sleep(2 * PAUSE_SECONDS)
    assert api.paths == ["p", "p/resize"]
