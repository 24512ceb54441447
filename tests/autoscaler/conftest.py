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
    Key,
    Namespace,
    ObjectMeta,
    Runtime,
)
from pilotlight_autoscaler.autoscaler import Autoscaler, AutoscalerSettings
from tests.support.compute import FakeAgents, FakeCompute
from tests.support.memory import MemoryArtifacts, MemoryResources

if TYPE_CHECKING:
    from pilotlight.agent.client import Agents
    from pilotlight.errors import PilotlightError
    from pilotlight.storage import ResourceStore
    from pilotlight_autoscaler.leases.capacity import Capacity
    from pilotlight_autoscaler.leases.caps import Caps
    from pilotlight_autoscaler.leases.stock import Stock
    from pilotlight_autoscaler.pods.revisions import Revisions
    from pilotlight_autoscaler.pools.decide import PoolSpec
    from pilotlight_autoscaler.pools.keeper import PoolKeeper

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
    pool: PoolSpec | None = None
    refused: list[tuple[RevisionKey, PilotlightError]] = field(default_factory=list)
    """The claims that were refused, and why."""
    table: Capacity = field(init=False)
    """For tests that make one for several steps."""
    autoscaler: Autoscaler = field(init=False)
    """The one that was made last."""

    @property
    def caps(self) -> Caps:
        """Its limits."""
        return self.autoscaler.caps

    @property
    def pools(self) -> PoolKeeper:
        """Its pools."""
        return self.autoscaler.pools

    @property
    def stock(self) -> Stock:
        """Its provisioned environments."""
        return self.autoscaler.stock

    @property
    def resources(self) -> ResourceStore:
        """The store; what a test writes the cache knows."""
        return self.cache.resources

    def capacity(self, *, limit: int = 1000, generation: int = 0) -> Capacity:
        """Make an autoscaler over the same pods; what answers claims in it."""
        settings = AutoscalerSettings(
            platform_key=b"key",
            region="us-east-1",
            artifact_url="http://g/{sha256}",
            environment={"AWS_ENDPOINT_URL": "http://aws"},
            account_limit=limit,
            generation=generation,
            compiles=_always,
        )
        self.autoscaler = Autoscaler(
            settings,
            compute=self.compute,
            cache=self.cache,
            artifacts=self.artifacts,
            accounts=Accounts(self.cache),
            pool_spec=self._pool_spec,
            agents=cast("Agents", self.agents),
            tell=lambda *refused: self.refused.append(refused),
        )
        return self.autoscaler.capacity

    async def isolate_tenants(self) -> None:
        """Let the function of `REVISION` be one that isolates tenants."""
        function = await self.resources.get(Function, Key(REVISION.namespace, REVISION.function))
        assert function.status.configuration is not None
        served = function.status.configuration.model_copy(
            update={"tenant_isolation_mode": "PER_TENANT"}
        )
        status = function.status.model_copy(update={"configuration": served})
        await self.resources.write_status(function.model_copy(update={"status": status}))

    def revisions(self) -> Revisions:
        """Make what knows the functions' revisions."""
        self.capacity()
        return self.autoscaler.revisions

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
