"""Pods against an API server that is late, and what an earlier leader left."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from pilotlight.claims import RevisionKey
from pilotlight.compute import Crowd, PodRequest
from pilotlight.errors import (
    ConflictError,
    PodLostError,
    QuotaExceededError,
    StartFailedError,
    ThrottledError,
)
from pilotlight.names import (
    FUNCTION_LABEL,
    RECIPE_ANNOTATION,
    REVISION_LABEL,
    RUNTIME_LABEL,
    TENANT_ANNOTATION,
)
from pilotlight.resources import ObjectMeta, Runtime, RuntimeSpec
from pilotlight_operator.manifests.pod import PodSettings
from pilotlight_operator.storage import pod_start
from pilotlight_operator.storage.pods import KubernetesCompute
from tests.support.api_server import ApiServer
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from pilotlight.storage.kubernetes.api import KubernetesApi

pytestmark = pytest.mark.looptime
REQUEST = PodRequest(namespace="team", runtime="python3.13", memory=128, ephemeral_storage=512)
PODS = "/api/v1/namespaces/team/pods"
RUNNING = {
    "podIP": "10.0.0.7", "phase": "Running",
    "containerStatuses": [{"state": {"running": {}}}],
}  # fmt: skip


class LateApiServer(ApiServer):
    """Creates what it is asked for long after who asked has given up."""

    def __init__(self) -> None:
        super().__init__()
        self.late = asyncio.Event()
        self.coming: list[asyncio.Task[None]] = []

    async def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Answer, or be late with a creation that comes even so."""
        if method != "POST":
            return await super().request(method, path, **options)
        self.coming.append(asyncio.create_task(self._create(path, options["body"])))
        await asyncio.Event().wait()
        raise AssertionError

    async def _create(self, path: str, body: dict[str, Any]) -> None:
        await self.late.wait()
        self.put(f"{path}/{body['metadata']['name']}", **body)


async def _ready(*_: object) -> None:
    """Every agent answers."""


@pytest.fixture(autouse=True)
def _agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_start, "wait_until_ready", _ready)


async def compute_of(api: ApiServer) -> KubernetesCompute:
    resources = MemoryResources()
    await resources.create(
        Runtime(metadata=ObjectMeta(name="python3.13"), spec=RuntimeSpec(image="python:1"))
    )
    return KubernetesCompute(cast("KubernetesApi", api), resources, ["team"], b"k", PodSettings())


class Following:
    """Follows the pods for as long as the block lasts."""

    def __init__(self, compute: KubernetesCompute) -> None:
        self._compute = compute

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._compute.run())
        await asyncio.sleep(0.1)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()


async def test_a_pod_whose_creation_comes_through_late_is_deleted() -> None:
    """Its start was given up, and to delete what was not there yet found nothing."""
    api = LateApiServer()
    compute = await compute_of(api)
    async with Following(compute):
        with pytest.raises(StartFailedError):
            await compute.start(REQUEST, seconds=5)
        await asyncio.sleep(1)
        api.late.set()
        await asyncio.sleep(1)
        assert api.coming
        assert not api.objects


def leave(api: ApiServer, name: str, *, status: dict[str, Any] | None = None, **meta: Any) -> str:
    labels = {RUNTIME_LABEL: "python3.13"} | meta.pop("labels", {})
    api.put(f"{PODS}/{name}", metadata={"labels": labels, **meta}, status=status or {})
    return f"team/{name}"


async def test_what_an_earlier_leader_left_is_found_by_what_is_written_down() -> None:
    """Generic pods and those of a revision, ready or not; not those that go, nor our own."""
    api = ApiServer()
    generic = leave(api, "generic", status=RUNNING, annotations={RECIPE_ANNOTATION: "as now"})
    labels = {FUNCTION_LABEL: "f", REVISION_LABEL: "1" * 16}
    annotations = {TENANT_ANNOTATION: "red"}
    leave(api, "made", labels=labels, annotations=annotations)
    leave(api, "going", status=RUNNING, deletionTimestamp="2026-01-01T00:00:00Z")
    compute = await compute_of(api)
    async with Following(compute):
        ours = asyncio.create_task(compute.start(REQUEST, seconds=60))
        await asyncio.sleep(0.1)
        ready, made = await compute.found()
        assert (ready.name, ready.revision, ready.recipe) == (generic, None, "as now")
        assert ready.pod is not None
        assert ready.pod.host == "10.0.0.7"
        assert made.revision == RevisionKey("team", "f", "1" * 16, "red")
        assert made.pod is None
        joining = asyncio.create_task(compute.join(made.name, seconds=60))
        await asyncio.sleep(1)
        leave(api, "made", labels=labels, annotations=annotations, status=RUNNING)
        assert (await joining).host == "10.0.0.7"
        ours.cancel()


async def test_nothing_is_found_before_everything_is_known() -> None:
    """A leader that cannot list yet must not take what is there for nothing."""
    api = ApiServer()
    name = leave(api, "generic", status=RUNNING)
    api.away = True
    compute = await compute_of(api)
    async with Following(compute):
        finding = asyncio.create_task(compute.found())
        naming = asyncio.create_task(compute.running())
        await asyncio.sleep(60)
        assert not finding.done()
        assert not naming.done()
        api.away = False
        assert [one.name for one in await finding] == await naming == [name]


async def test_a_pod_that_does_not_come_in_time_goes_whoever_made_it() -> None:
    api = ApiServer()
    name = leave(api, "made")
    compute = await compute_of(api)
    async with Following(compute):
        with pytest.raises(StartFailedError):
            await compute.join(name, seconds=5)
        await asyncio.sleep(0.1)
        assert not api.objects


async def test_a_pod_that_is_deleted_as_it_starts_is_not_waited_for() -> None:
    api = ApiServer()
    compute = await compute_of(api)
    async with Following(compute), asyncio.timeout(5):
        start = asyncio.create_task(compute.start(REQUEST, seconds=60))
        await asyncio.sleep(0.1)
        (path,) = api.objects
        leave(api, path.rpartition("/")[2], deletionTimestamp="2026-01-01T00:00:00Z")
        with pytest.raises(PodLostError, match="was deleted"):
            await start


async def test_a_leader_that_hands_over_leaves_what_it_was_making() -> None:
    """Else it goes with the start, as any that is given up."""
    for leaves in (False, True):
        api = ApiServer()
        compute = await compute_of(api)
        async with Following(compute):
            start = asyncio.create_task(compute.start(REQUEST, seconds=60))
            await asyncio.sleep(0.1)
            if leaves:
                compute.leave()
            start.cancel()
            await asyncio.sleep(0.1)
            assert bool(api.objects) == leaves


async def test_a_pod_that_somebody_deleted_is_no_surprise() -> None:
    """Its leases end as any pod's that goes; only what nobody asked for is a warning."""
    api = ApiServer()
    told: list[str] = []

    async def tell(pod: str) -> None:
        told.append(pod)

    before = leave(api, "before", status=RUNNING, deletionTimestamp="2026-01-01T00:00:00Z")
    names = [leave(api, name, status=RUNNING) for name in ("deleted", "lost")]
    compute = await compute_of(api)
    compute.on_gone(tell)
    async with Following(compute):
        with capture_logs() as logs:
            leave(api, "deleted", status=RUNNING, deletionTimestamp="2026-01-01T00:00:00Z")
            for name in (before, *names):
                api.remove(f"{PODS}/{name.partition('/')[2]}")
            await asyncio.sleep(0.1)
    assert told == names, "an earlier leader took back what it deleted"
    assert [one["pod"] for one in logs if one["log_level"] == "warning"] == ["team/lost"]


class FullQuota(ApiServer):
    """A quota without room until somebody makes some."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True
        self.asked: list[Crowd] = []

    async def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Refuse to create a pod while it is full."""
        if method == "POST" and self.full:
            raise QuotaExceededError("exceeded quota: little-room")
        answer = await super().request(method, path, **options)
        if method == "POST":
            self.put(f"{path}/{answer['metadata']['name']}", **(answer | {"status": RUNNING}))
        return answer

    async def make_space(self, crowd: Crowd) -> bool:
        """Have room a moment later, the second time that it is asked."""
        self.asked.append(crowd)
        if len(self.asked) < 2:
            return False
        asyncio.get_running_loop().call_later(2, self._empty)
        return True

    def _empty(self) -> None:
        self.full = False


async def test_a_quota_that_is_full_gets_room_made_in_its_namespace() -> None:
    """Else an account that once used its quota up would serve no other function any more."""
    api = FullQuota()
    compute = await compute_of(api)
    compute.on_crowded(api.make_space)
    request = replace(REQUEST, revision=RevisionKey("team", "hello", "r1"))
    async with Following(compute):
        pod = await compute.start(request, seconds=30)
    assert pod.host == RUNNING["podIP"]
    quota = Crowd("team", in_quota=True)
    assert api.asked == [quota, quota], "until there was some to make, and no more"


class BusyQuota(ApiServer):
    """An API server that counts several pods at a time: some it asks to come again."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 3

    async def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Refuse the first few."""
        if method == "POST" and self.conflicts:
            self.conflicts -= 1
            raise ConflictError("Operation cannot be fulfilled on resourcequotas: modified")
        answer = await super().request(method, path, **options)
        if method == "POST":
            self.put(f"{path}/{answer['metadata']['name']}", **(answer | {"status": RUNNING}))
        return answer


async def test_a_quota_that_was_written_meanwhile_is_asked_again() -> None:
    """Kubernetes counts each pod in one object, and says Conflict where two come at once."""
    compute = await compute_of(BusyQuota())
    async with Following(compute):
        pod = await compute.start(REQUEST, seconds=30)
    assert pod.host == RUNNING["podIP"]


@pytest.mark.parametrize("generic", [False, True])
async def test_a_quota_that_stays_full_is_a_throttle(*, generic: bool) -> None:
    """At once for a pod that nobody waits for, and in ten seconds for a call."""
    api = FullQuota()
    compute = await compute_of(api)
    began = asyncio.get_running_loop().time()
    request = REQUEST if generic else replace(REQUEST, revision=RevisionKey("team", "hello", "r1"))

    async def make_none(_: Crowd) -> bool:
        """Find nothing that may go."""
        return False

    compute.on_crowded(make_none)
    with pytest.raises(ThrottledError, match="exceeded quota"):
        await compute.start(request, seconds=30)
    took = asyncio.get_running_loop().time() - began
    assert took == 0 if generic else 10 <= took < 11
