"""A lease table over fakes, with one function to claim."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.claims import RevisionKey
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import (
    Code,
    Configuration,
    Function,
    FunctionAlias,
    FunctionSpec,
    FunctionStatus,
    FunctionVersion,
    Namespace,
    ObjectMeta,
    Runtime,
)
from pilotlight_autoscaler.leases.capacity import Capacity
from pilotlight_autoscaler.leases.caps import Caps
from pilotlight_autoscaler.packages.compiled_packages import CompiledPackages
from pilotlight_autoscaler.pods.revisions import Revisions
from pilotlight_autoscaler.pools.keeper import PoolKeeper
from pilotlight_autoscaler.quiet import Calm
from tests.support.compute import FakeAgents, FakeCompute
from tests.support.memory import MemoryArtifacts, MemoryResources

if TYPE_CHECKING:
    from pilotlight.agent.client import Agents
    from pilotlight.storage import ResourceStore
    from pilotlight_autoscaler.pools.decide import PoolSpec

SHA = "a" * 64
REVISION = RevisionKey("default", "f", "1" * 16)
OTHER = RevisionKey("default", "other", "1" * 16)


@dataclass
class Stage:
    """A lease table and what stands around it."""

    cache: Cache = field(
        default_factory=lambda: Cache(
            MemoryResources(), Namespace, Runtime, Function, FunctionVersion, FunctionAlias
        )
    )
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    compute: FakeCompute = field(default_factory=FakeCompute)
    agents: FakeAgents = field(default_factory=FakeAgents)
    caps: Caps = field(init=False)
    pools: PoolKeeper = field(init=False)
    pool: PoolSpec | None = None
    table: Capacity = field(init=False)

    @property
    def resources(self) -> ResourceStore:
        """The store; what a test writes the cache knows."""
        return self.cache.resources

    def capacity(self, *, limit: int = 1000, generation: int = 0) -> Capacity:
        """Make a lease table over the same pods."""
        self.caps = Caps(self.cache, account_limit=limit)
        agents = cast("Agents", self.agents)
        self.pools = PoolKeeper(self.compute, self._pool_spec)
        return Capacity(
            self.compute, self.revisions(), agents, self.caps, self.pools, generation=generation
        )

    def revisions(self) -> Revisions:
        """Make what knows the functions' revisions."""
        packages = CompiledPackages(self.artifacts, calm=Calm().wait, runs=_always)
        return Revisions(
            self.cache, Accounts(self.cache), b"key", "us-east-1", "http://g/{sha256}",
            {"AWS_ENDPOINT_URL": "http://aws"}, packages,
        )  # fmt: skip

    async def _pool_spec(self, runtime: str) -> PoolSpec | None:
        del runtime
        return self.pool


def _always(runtime: str) -> bool:
    del runtime
    return True


@pytest.fixture
async def stage() -> Stage:
    """A stage of one test."""
    return await make_stage()


async def make_stage() -> Stage:
    """Two functions that serve `REVISION` and `OTHER`."""
    made = Stage()
    labels = {ACCOUNT_LABEL: "000000000000"}
    await made.resources.create(Namespace(metadata=ObjectMeta(name="default", labels=labels)))
    configuration = Configuration(
        runtime="python3.13", handler="index.handler", code_sha256=SHA, memory=128, timeout=3,
        ephemeral_storage=512, environment={"COLOUR": "green"},
    )  # fmt: skip
    for name in ("f", "other"):
        await made.resources.create(
            Function(
                metadata=ObjectMeta(name=name, namespace="default"),
                spec=FunctionSpec(
                    runtime="python3.13", handler="index.handler", code=Code(zip=SHA)
                ),
                status=FunctionStatus(revision=REVISION.revision, configuration=configuration),
            )
        )
    return made
