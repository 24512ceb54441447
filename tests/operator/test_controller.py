"""The controller against an API server: kopf's feed, the services, and what a restart costs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.aio import client

from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import GROUP, VERSION, ProvisionedStatus, RuntimeSpec
from pilotlight.storage import replacements
from pilotlight.storage.kubernetes.api import KubernetesApi
from pilotlight.storage.kubernetes.resources import KubernetesResources
from pilotlight_operator import controller as controller_module
from pilotlight_operator.controller import (
    WATCHED,
    Controller,
    ControllerSettings,
    ForeignAutoscaler,
)
from pilotlight_operator.events import KubernetesEvents
from pilotlight_operator.storage.image_pulls import ImagePulls
from tests.support.http_api_server import HttpApiServer
from tests.support.memory import MemoryArtifacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pilotlight.claims import RevisionKey
    from pilotlight.resources import Key

NAMESPACE = "team"
CUSTOM = f"/apis/{GROUP}/{VERSION}"
FUNCTIONS = f"{CUSTOM}/namespaces/{NAMESPACE}/functions"
MANY = 300
LONGEST_STOP = 4.0
"""In which a controller must have ended, since the next leader waits for it; kopf alone would wait
five seconds for a worker that is left."""
RUNTIMES = {"python3.13": RuntimeSpec(image="python")}


class Gateways:
    """Acknowledges at once; provisions nothing."""

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        del function, revision, seconds
        return True

    async def state(self, revision: RevisionKey) -> ProvisionedStatus:
        raise AssertionError(revision)


class Cluster:
    """An API server, packages, and controllers that come and go."""

    def __init__(self, server: HttpApiServer) -> None:
        self.server = server
        self.artifacts = MemoryArtifacts()
        labels = {ACCOUNT_LABEL: "111122223333"}
        self.put("/api/v1/namespaces/team", metadata={"labels": labels})

    def put(self, path: str, **fields: Any) -> None:
        """Write an object, as kubectl would."""
        metadata = {"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
        fields["metadata"] = metadata | fields.get("metadata", {})
        self.server.memory.put(path, **fields)

    def put_function(self, name: str, generation: int = 1, **spec: Any) -> None:
        """Write a function."""
        spec = {
            "runtime": "python3.13",
            "handler": "index.handler",
            "code": {"inline": f"def handler(event, context):\n    return {name!r}\n"},
        } | spec
        self.put(f"{FUNCTIONS}/{name}", spec=spec, metadata={"generation": generation})

    def ready(self, name: str) -> tuple[str, str] | None:
        """Return status and reason of a function's condition Ready."""
        status = self.server.memory.objects[f"{FUNCTIONS}/{name}"].get("status", {})
        for condition in status.get("conditions", []):
            if condition["type"] == "Ready":
                return condition["status"], condition["reason"]
        return None

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[None]:
        """Run a controller during a block."""
        gateways = Gateways()
        foreign = ForeignAutoscaler(gateways, gateways, asyncio.get_running_loop())
        settings = ControllerSettings((NAMESPACE,), "us-east-1", RUNTIMES)
        controller = Controller(settings, foreign, self._stores)
        controller.start()
        try:
            yield
            assert controller.is_progressing()
        finally:
            async with asyncio.timeout(LONGEST_STOP):
                await controller.stop()

    @asynccontextmanager
    async def _stores(
        self,
    ) -> AsyncIterator[tuple[KubernetesResources, MemoryArtifacts, KubernetesEvents, ImagePulls]]:
        api = KubernetesApi(client.Configuration(host=self.server.url))
        try:
            resources = KubernetesResources(api, [NAMESPACE])
            yield resources, self.artifacts, KubernetesEvents(api), ImagePulls(api, resources)
        finally:
            await api.close()


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  another thread works on it
            await asyncio.sleep(0.05)


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    server = HttpApiServer()
    async with server.serving():
        file = tmp_path / "kubeconfig"
        file.write_text(server.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(file))
        yield Cluster(server)


async def test_what_is_there_what_comes_and_what_goes(cluster: Cluster) -> None:
    cluster.put_function("first", functionName="shared")
    async with cluster.controller():
        await until(lambda: cluster.ready("first") == ("True", "Serving"))
        cluster.put_function("second", functionName="shared")
        await until(lambda: cluster.ready("second") == ("False", "NameTaken"))
        cluster.server.memory.remove(f"{FUNCTIONS}/first")
        # At once, not when it is looked at again.
        await until(lambda: cluster.ready("second") == ("True", "Serving"), seconds=5)
        cluster.put_function("second", generation=2, functionName="shared", runtime="ruby3.4")
        await until(lambda: cluster.ready("second") == ("False", "RuntimeUnavailable"))
        cluster.put(f"{CUSTOM}/runtimes/ruby3.4", spec={"image": "ruby"})
        await until(lambda: cluster.ready("second") == ("True", "Serving"), seconds=5)


async def test_what_no_watch_told_is_found(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is listed now and then: a name that was left is free."""
    monkeypatch.setattr(controller_module, "REFRESH_SECONDS", 0.2)
    cluster.put_function("first", functionName="shared")
    async with cluster.controller():
        await until(lambda: cluster.ready("first") == ("True", "Serving"))
        cluster.put_function("second", functionName="shared")
        await until(lambda: cluster.ready("second") == ("False", "NameTaken"))
        del cluster.server.memory.objects[f"{FUNCTIONS}/first"]
        await until(lambda: cluster.ready("second") == ("True", "Serving"), seconds=10)


async def test_namespaces_that_are_listed_last_are_waited_for(cluster: Cluster) -> None:
    """Nothing that kopf tells need come after them."""
    namespaces = "/api/v1/namespaces"
    cluster.server.failing.add(namespaces)
    cluster.put_function("waiting")
    async with cluster.controller():
        await until(lambda: cluster.server.lists.count(namespaces) > 2)
        assert cluster.ready("waiting") is None
        cluster.server.failing.clear()
        await until(lambda: cluster.ready("waiting") == ("True", "Serving"), seconds=25)


async def test_why_a_function_serves_or_does_not_is_told_as_events(cluster: Cluster) -> None:
    """For `kubectl describe`; what was so before the controller came is no news."""
    cluster.put_function("told")

    def told() -> list[tuple[str, str]]:
        return [
            (one["type"], one["reason"])
            for path, one in cluster.server.memory.objects.items()
            if path.startswith("/api/v1/namespaces/team/events/")
            and one["involvedObject"]["name"] == "told"
        ]

    async with cluster.controller():
        await until(lambda: told()[-1:] == [("Normal", "Serving")])
        cluster.put_function("told", generation=2, runtime="ruby9")
        await until(lambda: ("Warning", "RuntimeUnknown") in told())
        before = told()
    async with cluster.controller():
        cluster.put_function("other")
        await until(lambda: cluster.ready("other") == ("True", "Serving"))
    assert told() == before
    # The runtime itself may have come a moment after the function.
    assert before[-2:] == [("Normal", "Serving"), ("Warning", "RuntimeUnknown")]


async def test_inline_code_that_a_store_has_lost_is_stored_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nothing knows any more is said of the function that needs it, which serves no less."""
    monkeypatch.setattr(replacements, "LOOK_SECONDS", 0.05)
    (sha256, content) = ("c" * 64, b"zip")
    cluster.artifacts.held[sha256] = content
    cluster.artifacts.owners.add((sha256, NAMESPACE))
    cluster.put_function("inline")
    cluster.put_function("zipped", code={"zip": sha256})
    async with cluster.controller():
        for name in ("inline", "zipped"):
            await until(lambda name=name: cluster.ready(name) == ("True", "Serving"))  # type: ignore[misc]  # mypy knows no default of a lambda
        stored = cluster.artifacts.held.keys() - {sha256}
        cluster.artifacts.lose()
        await until(lambda: cluster.artifacts.held.keys() == stored)
        await until(lambda: cluster.ready("zipped") == ("False", "CodeMissing"))
    assert cluster.ready("inline") == ("True", "Serving")


async def test_a_restart_lists_once_and_writes_nothing(cluster: Cluster) -> None:
    for number in range(MANY):
        cluster.put_function(f"function-{number}")
    names = [f"function-{number}" for number in range(MANY)]
    async with cluster.controller():
        await until(lambda: all(cluster.ready(name) == ("True", "Serving") for name in names))
    server = cluster.server
    server.lists.clear()
    server.writes.clear()
    began = time.process_time()
    async with cluster.controller():
        cluster.put_function("last")
        await until(lambda: cluster.ready("last") == ("True", "Serving"))
        await asyncio.sleep(1)
    assert time.process_time() - began < 5.0
    writes = [one for one in server.writes if not one[1].endswith("/events")]
    assert writes == [("PATCH", f"{FUNCTIONS}/last/status")] * len(writes)
    assert len(server.writes) - len(writes) <= 1  # that the last one serves
    assert set(Counter(server.lists).values()) == {1}
    assert len(server.lists) == len(WATCHED) + 1
