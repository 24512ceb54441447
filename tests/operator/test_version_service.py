"""What the operator says of a version: whether it starts ahead, as things are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.cache import Cache
from pilotlight.resources import (
    Configuration,
    FunctionVersion,
    FunctionVersionSpec,
    ObjectMeta,
    Runtime,
    RuntimeSpec,
    Secret,
)
from pilotlight.resources.registry import KINDS
from pilotlight.resources.runtime import Pool
from pilotlight_operator.services.versions import VersionService
from tests.support.memory import MemoryArtifacts, MemoryResources

if TYPE_CHECKING:
    from pilotlight.resources import Resource

WAITING = RuntimeSpec(image="registry/python:1")
NOBODY_WAITS = RuntimeSpec(image="registry/python:1", pool=Pool(minimum=0, maximum=0))


async def said(*resources: Resource, **changes: Any) -> str:
    """Return the OptimizationStatus of a version beside these resources."""
    configuration = Configuration(
        runtime="python3.13", handler="a.b", code_sha256="a" * 64, memory=128, timeout=3,
        ephemeral_storage=512, snap_start="PublishedVersions",
    ).model_copy(update=changes)  # fmt: skip
    cache = Cache(MemoryResources(), *KINDS.values())
    version = await cache.resources.create(
        FunctionVersion(
            metadata=ObjectMeta(name="f-v1", namespace="team"),
            spec=FunctionVersionSpec(
                function="f", function_name="f", version=1, configuration=configuration,
                revision="r",
            ),
        )
    )  # fmt: skip
    for one in (version, *resources):
        cache.note(one)
    provisioning: Any = None  # of a version that asks for none it is not asked
    await VersionService(cache, MemoryArtifacts(), provisioning).reconcile(version.key)
    return (await cache.resources.get(FunctionVersion, version.key)).status.snap_start


def runtime(spec: RuntimeSpec) -> Runtime:
    return Runtime(metadata=ObjectMeta(name="python3.13"), spec=spec)


async def test_a_version_is_optimised_where_pods_wait_that_fork() -> None:
    assert await said(runtime(WAITING)) == "On"


@pytest.mark.parametrize("there", [[], [runtime(NOBODY_WAITS)]], ids=["no runtime", "no pool"])
async def test_it_is_not_where_nothing_waits(there: list[Resource]) -> None:
    assert await said(*there) == "Off"


async def test_it_is_not_where_nobody_asked() -> None:
    """Though it starts the same way."""
    assert await said(runtime(WAITING), snap_start="None") == "Off"


async def test_variables_of_a_secret_count() -> None:
    secret = Secret(
        metadata=ObjectMeta(name="s", namespace="team"), string_data={"PYTHONPATH": "/opt"}
    )
    assert await said(runtime(WAITING), secret, environment_secret="s") == "Off"
