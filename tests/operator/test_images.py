"""Functions that are container images: asked of a registry, pulled by a node, served."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.accounts import Accounts
from pilotlight.errors import (
    InvalidResourceError,
    NotFoundError,
    PilotlightError,
    QuotaExceededError,
    StartFailedError,
    UnavailableError,
)
from pilotlight.registries import ImageDescription, RegistryError, RegistryUnreachableError
from pilotlight.resources import (
    IMAGE_RUNTIME,
    Function,
    Key,
    ObjectMeta,
    Runtime,
    RuntimeSpec,
    Secret,
)
from pilotlight.walls import Walls
from pilotlight_operator.manifests.image_pull import LONGEST_PULL_SECONDS, pull_manifest
from pilotlight_operator.services.functions import FunctionService
from pilotlight_operator.services.image_registries import ImageRegistries
from pilotlight_operator.services.images import Images
from pilotlight_operator.services.packages import Packages
from pilotlight_operator.storage.image_pulls import ImagePulls
from tests.support.api_server import ApiServer
from tests.support.memory import MemoryResources

from .conftest import Platform

if TYPE_CHECKING:
    from pilotlight.registries import Reference
    from pilotlight.storage.kubernetes.api import KubernetesApi

pytestmark = pytest.mark.looptime
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
IMAGE = "registry/hello:1"
NOT_THERE = RegistryError("Source image registry/hello:1 does not exist.", "InvalidImage")
DENIED = RegistryError("the registry does not let it be read (status 403)", "ImageAccessDenied")
SILENT = RegistryUnreachableError("registry docker.io cannot be reached", "ImageAccessDenied")
RUNTIME = Runtime(metadata=ObjectMeta(name=IMAGE_RUNTIME), spec=RuntimeSpec(image="agent:1"))


class Registry:
    """Says the same of every image."""

    def __init__(self) -> None:
        self.said: ImageDescription | RegistryError = ImageDescription(
            DIGEST, ["/entry"], ["app.handler"], {"LD_PRELOAD": "own.so", "PATH": "/bin"}
        )
        self.asked: list[tuple[str, str, str | None]] = []

    async def describe(
        self, reference: Reference, architecture: str, keys: str | None
    ) -> ImageDescription:
        self.asked.append((str(reference), architecture, keys))
        if isinstance(self.said, RegistryError):
            raise self.said
        return self.said


class Node:
    """Pulls what it is told to, as slowly as it was told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.error: PilotlightError | None = None
        self.digest: str | None = None
        self.pulled: list[str] = []
        self.given_up: list[str] = []

    async def pull(self, function: Function, image: str) -> str | None:
        assert function.metadata.uid
        self.pulled.append(image)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.given_up.append(image)
            raise
        if self.error:
            raise self.error
        return self.digest


class ImagePlatform(Platform):
    """A platform that runs images."""

    def restart(self) -> None:
        """Start the operator anew."""
        super().restart()
        self.registry, self.node = Registry(), Node()
        asked = ImageRegistries(self.cache, self.registry, "pull")  # type: ignore[arg-type]  # as much of it as is called
        self.finder = Images(asked, self.node)
        self.service = FunctionService(
            self.cache, Packages(self.artifacts, self.buckets), self.gateways,
            region="us-east-1", accounts=Accounts(self.cache), images=self.finder, walls=Walls(),
        )  # fmt: skip

    async def apply_image(self, image: str = IMAGE, **spec: Any) -> Function:
        """Create a function that is an image, or change it."""
        spec = {"runtime": None, "handler": None, "code": {"image": image}} | spec
        return await self.apply(**spec)

    async def ready(self) -> tuple[str, str]:
        """Return status and reason of its condition Ready."""
        condition = (await self.function()).status.condition("Ready")
        assert condition
        return condition.status, condition.reason


@pytest.fixture
async def images() -> ImagePlatform:
    platform = ImagePlatform()
    await platform.prepare()
    await platform.resources.create(RUNTIME)
    return platform


async def test_an_image_is_pinned_and_pulled_once(images: ImagePlatform) -> None:
    """And started as it says itself, but for what the function says."""
    await images.apply_image()
    await images.reconcile()
    await images.apply_image(imageConfig={"command": ["other.handler"]}, publish="OnChange")
    assert await images.versions() == [1]
    assert images.registry.asked == [("docker.io/registry/hello:1", "x86_64", None)]
    assert images.node.pulled == [f"registry/hello@{DIGEST}"]
    status = (await images.function()).status
    assert (status.state, status.code_size) == ("Active", 0)
    assert status.configuration
    assert status.configuration.code_sha256 == "a" * 64
    image = status.configuration.image
    assert image
    assert (image.entry_point, image.command) == (["/entry"], ["other.handler"])
    assert image.pinned
    assert image.pinned.loader_variables == {"LD_PRELOAD": "own.so"}


async def test_it_is_pending_while_it_is_pulled(images: ImagePlatform) -> None:
    """And what served before goes on, while an update is InProgress."""
    images.node.seconds = 12.0
    await images.apply_image()
    assert await images.reconcile() == 1.0
    assert await images.ready() == ("Unknown", "ImagePulling")
    assert (await images.function()).status.state == "Pending"
    while await images.reconcile() is not None:
        pass
    assert await images.ready() == ("True", "Serving")
    before = (await images.function()).status.revision
    await images.apply_image("registry/hello:2")
    await images.reconcile()
    status = (await images.function()).status
    assert (status.state, status.last_update_status) == ("Active", "InProgress")
    assert (status.revision, await images.ready()) == (before, ("True", "Serving"))


@pytest.mark.parametrize(
    ("registry", "node", "config", "code", "says"),
    [
        (SILENT, None, {}, "ImageAccessDenied", "imageConfig.entryPoint says how it starts"),
        (NOT_THERE, None, {}, "InvalidImage", "does not exist."),
        (
            SILENT,
            StartFailedError("pod did not start: not found", reason="InvalidImage"),
            {"entryPoint": ["/x"]},
            "InvalidImage",
            "not found",
        ),
        (
            None,
            StartFailedError("pod did not start: unauthorized", reason="ImageAccessDenied"),
            {},
            "ImageAccessDenied",
            "unauthorized",
        ),
        (ImageDescription(DIGEST), None, {}, "InvalidImage", "neither ENTRYPOINT nor CMD"),
    ],
)
async def test_what_is_wrong_with_an_image_is_said_before_anybody_calls(
    images: ImagePlatform,
    registry: RegistryError | ImageDescription | None,
    node: StartFailedError | None,
    config: dict[str, Any],
    code: str,
    says: str,
) -> None:
    images.registry.said = registry or images.registry.said
    images.node.error = node
    await images.apply_image(imageConfig=config)
    again = await images.reconcile()
    status = (await images.function()).status
    assert (status.state, status.state_reason_code) == ("Failed", code)
    assert says in (status.state_reason or "")
    assert await images.ready() == ("False", "ImageUnusable")
    assert again is not None
    assert again >= 15.0


@pytest.mark.parametrize("refusal", [NOT_THERE, DENIED])
async def test_what_a_registry_refuses_no_node_is_asked_for(
    images: ImagePlatform, refusal: RegistryError
) -> None:
    """Though the function says how it starts: a node may have another one by that name."""
    images.registry.said = refusal
    await images.apply_image(imageConfig={"entryPoint": ["/x"], "command": ["y"]})
    await images.reconcile()
    status = (await images.function()).status
    assert (status.state_reason_code, status.state_reason) == (refusal.state_code, str(refusal))
    assert images.node.pulled == []


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("Runtime container-image is not there"),
        UnavailableError("the API server is away"),
        QuotaExceededError("exceeded quota: pods"),
        InvalidResourceError("violates PodSecurity"),
    ],
)
async def test_whatever_keeps_a_node_from_pulling_is_told(
    images: ImagePlatform, error: PilotlightError
) -> None:
    """No such error is taken for the function's own end, and it is tried again."""
    images.node.error = error
    await images.apply_image()
    assert await images.reconcile() is not None
    status = (await images.function()).status
    assert (status.state, status.state_reason_code) == ("Failed", "InternalError")
    assert status.state_reason == str(error)
    images.node.error = None
    await images.reconcile()
    assert await images.ready() == ("True", "Serving")


async def test_a_node_may_have_what_no_registry_tells_of(images: ImagePlatform) -> None:
    """Its word pins the image, if it has one; else pods run what it has by that name."""
    images.registry.said = SILENT
    await images.apply_image(imageConfig={"entryPoint": ["/x"]})
    await images.reconcile()
    configuration = (await images.function()).status.configuration
    assert configuration
    assert configuration.image
    assert (configuration.image.reference, configuration.code_sha256) == (IMAGE, "")
    images.node.digest = OTHER
    await images.apply_image("registry/hello:2", imageConfig={"entryPoint": ["/x"]})
    await images.reconcile()
    configuration = (await images.function()).status.configuration
    assert configuration
    assert configuration.image
    assert configuration.image.reference == f"registry/hello@{OTHER}"


@pytest.mark.parametrize(("config", "reason"), [("{}", "Serving"), ("none", "ImageUnusable")])
async def test_registries_keys_are_in_the_secret_that_pods_pull_with(
    images: ImagePlatform, config: str, reason: str
) -> None:
    keys = {"auths": {"docker.io": {"auth": "dXNlcg=="}}}
    value = json.dumps(keys) if config == "{}" else config
    metadata = ObjectMeta(name="pull", namespace="team")
    secret = Secret(metadata=metadata, string_data={".dockerconfigjson": value})
    await images.resources.create(secret)
    await images.apply_image()
    await images.reconcile()
    assert (await images.ready())[1] == reason
    assert [keys for *_, keys in images.registry.asked] == (
        ["Basic dXNlcg=="] if reason == "Serving" else []
    )


class Kubelet(ApiServer):
    """Says of every pod that is made what it was told to."""

    status: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[str, BaseException] = {}
        """What is raised in place of a method's answer, though it is done."""

    async def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Answer, a pod's status written meanwhile."""
        if method == "POST":
            options["body"]["status"] = self.status
        answer = await super().request(method, path, **options)
        if method in self.lost:
            raise self.lost[method]
        return answer


async def _pull(kubelet: Kubelet) -> str | None:
    resources = MemoryResources()
    await resources.create(RUNTIME)
    metadata = ObjectMeta(name="hello", namespace="team", uid="uid")
    spec = {"code": {"image": IMAGE}}
    function = Function.model_validate({"metadata": metadata, "spec": spec})
    try:
        return await ImagePulls(cast_api(kubelet), resources).pull(function, IMAGE)
    finally:
        assert kubelet.objects == {}


def cast_api(kubelet: Kubelet) -> KubernetesApi:
    """Take the server for the client of one."""
    return kubelet  # type: ignore[return-value]  # as much of it as is called


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"docker.io/registry/hello@{DIGEST}", DIGEST),
        (f"docker.io/elsewhere/hello@{DIGEST}", None),
        (DIGEST, None),
    ],
)
async def test_a_pull_tells_what_the_node_has(image_id: str, digest: str | None) -> None:
    kubelet = Kubelet()
    ended = {"imageID": image_id, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    kubelet.status = {"phase": "Running", "containerStatuses": [ended]}
    assert await _pull(kubelet) == digest


async def test_a_pull_that_fails_says_what_the_kubelet_does() -> None:
    kubelet = Kubelet()
    waiting = {"reason": "ImagePullBackOff", "message": "hello:1: not found"}
    kubelet.status = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}
    with pytest.raises(StartFailedError, match="hello:1: not found") as error:
        await _pull(kubelet)
    assert error.value.reason == "InvalidImage"


async def test_a_pulls_pod_may_vanish() -> None:
    """Which is not the function's end."""
    kubelet = Kubelet()
    kubelet.status = {"phase": "Pending"}
    pulling = asyncio.create_task(_pull(kubelet))
    await asyncio.sleep(1.2)
    kubelet.remove(next(iter(kubelet.objects)))
    with pytest.raises(StartFailedError, match="is gone; it is tried again") as error:
        await pulling
    assert error.value.reason == "InternalError"


PULLS = {"waiting": {"reason": "ContainerCreating", "message": "pulls"}}
NO_ROOM = {"reason": "Unschedulable", "message": "0/1 nodes are available"}


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        (
            {"containerStatuses": [{"state": PULLS}]},
            "ImageAccessDenied",
            "ContainerCreating, pulls",
        ),
        ({"conditions": [NO_ROOM]}, "InternalError", "0/1 nodes are available"),
    ],
)
async def test_a_pull_does_not_last_for_ever(
    status: dict[str, Any], reason: str, says: str
) -> None:
    """What it waits for is told before the pod's own deadline, which says nothing of it."""
    kubelet = Kubelet()
    kubelet.status = {"phase": "Pending"} | status
    began = asyncio.get_running_loop().time()
    with pytest.raises(StartFailedError, match=f"was not pulled within .*: .*{says}") as error:
        await _pull(kubelet)
    assert error.value.reason == reason
    assert asyncio.get_running_loop().time() - began < LONGEST_PULL_SECONDS


@pytest.mark.parametrize("loss", [UnavailableError("no answer"), asyncio.CancelledError()])
async def test_a_pod_whose_making_was_not_answered_is_deleted(loss: BaseException) -> None:
    kubelet = Kubelet()
    kubelet.lost["POST"] = loss
    with pytest.raises(type(loss)):
        await _pull(kubelet)
    assert [method for method, _ in kubelet.requests] == ["POST", "DELETE"]


async def test_a_pulls_result_counts_though_its_pod_cannot_be_deleted() -> None:
    kubelet = Kubelet()
    kubelet.lost["DELETE"] = UnavailableError("no answer")
    ended = {"imageID": IMAGE, "state": {"terminated": {"exitCode": 0}}}
    kubelet.status = {"phase": "Running", "containerStatuses": [ended]}
    assert await _pull(kubelet) is None


def test_nobody_takes_a_pull_for_a_functions_pod() -> None:
    """It passes the same Pod Security, and goes with the function."""
    metadata = ObjectMeta(name="hello", namespace="team", uid="uid")
    function = Function.model_validate({"metadata": metadata, "spec": {"code": {"image": IMAGE}}})
    pod = pull_manifest("p", function, IMAGE, RUNTIME.spec, "keys")
    assert pod["metadata"]["labels"]["app.kubernetes.io/component"] != "pod"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == "uid"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "keys"}]
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["securityContext"]["readOnlyRootFilesystem"]


async def test_a_tag_that_moved_counts_once_it_is_asked_for_again(images: ImagePlatform) -> None:
    """Not before, and nothing changes where it has not moved."""
    await images.apply_image()
    await images.reconcile()
    first = (await images.function()).status.revision
    images.registry.said = ImageDescription(OTHER, ["/entry"])
    await images.apply_image(description="other")
    await images.reconcile()
    assert (await images.function()).status.revision == first
    revisions = {first}
    for refresh, asked in (("1", 2), ("1", 2), ("2", 3)):
        await images.apply_image(code={"image": IMAGE, "imageRefresh": refresh})
        await images.reconcile()
        status = (await images.function()).status
        assert status.configuration
        assert status.configuration.code_sha256 == "b" * 64
        assert len(images.registry.asked) == asked
        revisions.add(status.revision)
    assert len(revisions - {first}) == 1


async def test_an_image_that_nobody_pinned_is_another_when_it_is_asked_for_again(
    images: ImagePlatform,
) -> None:
    """Nodes may have another one by its name: pods of before do not serve it."""
    images.registry.said = SILENT
    revisions = set()
    for refresh in ("1", "2"):
        code = {"image": IMAGE, "imageRefresh": refresh}
        await images.apply_image(code=code, imageConfig={"entryPoint": ["/x"]})
        await images.reconcile()
        revisions.add((await images.function()).status.revision)
    assert len(revisions) == 2


async def test_a_registry_is_asked_less_and_less_often(images: ImagePlatform) -> None:
    images.registry.said = NOT_THERE
    await images.apply_image()
    await images.reconcile()
    function = await images.function()
    since = (datetime.now(UTC) - timedelta(seconds=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        one.model_copy(update={"last_transition_time": since}) for one in function.status.conditions
    ]
    status = function.status.model_copy(update={"conditions": conditions})
    await images.resources.write_status(function.model_copy(update={"status": status}))
    assert await images.reconcile() == pytest.approx(100, abs=5)


async def test_an_image_that_could_not_be_pulled_is_tried_again(images: ImagePlatform) -> None:
    """What was said of it stays until something else is known."""
    images.node.error = StartFailedError("no such host", reason="ImageAccessDenied")
    await images.apply_image()
    await images.reconcile()
    images.node.error, images.node.seconds = None, 12.0
    assert await images.reconcile() == 1.0
    assert await images.ready() == ("False", "ImageUnusable")
    await asyncio.sleep(12.0)
    await images.reconcile()
    assert await images.ready() == ("True", "Serving")


async def test_an_update_that_failed_stays_failed_while_it_is_tried_again(
    images: ImagePlatform,
) -> None:
    """So that waiters end, and who asks does so less and less often."""
    await images.apply_image()
    await images.reconcile()
    images.node.error = StartFailedError("no such host", reason="ImageAccessDenied")
    await images.apply_image("registry/hello:2")
    await images.reconcile()
    failed = (await images.function()).status
    assert (failed.state, failed.last_update_status) == ("Active", "Failed")
    images.node.seconds = 12.0
    assert await images.reconcile() == 1.0
    assert (await images.function()).status == failed
    await images.apply_image("registry/hello:3")
    await images.reconcile()
    assert (await images.function()).status.last_update_status == "InProgress"


PULLED = f"registry/hello@{DIGEST}"


async def _delete(images: ImagePlatform) -> None:
    await images.resources.delete(Function, Key("team", "hello"))
    await images.reconcile()


async def test_an_image_of_before_is_pulled_no_more_once_another_one_is_asked_for(
    images: ImagePlatform,
) -> None:
    images.node.seconds = 1000.0
    for architecture, tag in (("x86_64", "1"), ("x86_64", "2"), ("arm64", "2")):
        await images.apply_image(f"registry/hello:{tag}", architecture=architecture)
        assert await images.reconcile() == 1.0
    assert images.node.given_up == [PULLED, PULLED]
    assert [asked[:2] for asked in images.registry.asked][1:] == [
        ("docker.io/registry/hello:2", "x86_64"),
        ("docker.io/registry/hello:2", "arm64"),
    ]
    await images.finder.close()
    assert len(images.node.given_up) == 3


async def test_an_image_is_pulled_no_more_for_who_wants_the_served_one_or_none(
    images: ImagePlatform,
) -> None:
    await images.apply_image()
    await images.reconcile()
    images.node.seconds = 1000.0
    for back in (images.apply_image, images.apply):
        await images.apply_image("registry/hello:2")
        assert await images.reconcile() == 1.0
        await back()
        await images.reconcile()
        await asyncio.sleep(0)
    assert images.node.given_up == [PULLED, PULLED]


async def test_an_image_is_pulled_no_more_for_a_function_that_is_deleted(
    images: ImagePlatform,
) -> None:
    images.node.seconds = 1000.0
    await images.apply_image()
    await images.reconcile()
    await _delete(images)
    await asyncio.sleep(0)
    assert images.node.given_up == [PULLED]


async def test_a_function_made_anew_is_not_told_what_was_found_for_the_one_before(
    images: ImagePlatform,
) -> None:
    """Though the operator did not see that one go."""
    images.node.seconds, images.node.error = 12.0, StartFailedError("no", reason="InvalidImage")
    first = await images.apply_image()
    await images.reconcile()
    await asyncio.sleep(12.0)
    images.node.seconds, images.node.error = 0.0, None
    await images.resources.delete(Function, Key("team", "hello"))
    second = await images.apply_image()
    assert first.metadata.uid != second.metadata.uid
    await images.reconcile()
    assert await images.ready() == ("True", "Serving")


@pytest.mark.parametrize("digest", [None, OTHER])
async def test_a_served_image_that_nothing_starts_any_more_is_asked_for_again(
    images: ImagePlatform, digest: str | None
) -> None:
    """Its node's digest, if there is one, says nothing of how it starts."""
    images.registry.said, images.node.digest = SILENT, digest
    await images.apply_image(imageConfig={"entryPoint": ["/x"]})
    await images.reconcile()
    before = (await images.function()).status.revision
    await images.apply_image()
    await images.reconcile()
    status = (await images.function()).status
    assert (status.revision, status.last_update_status) == (before, "Failed")
    assert "imageConfig.entryPoint says" in (status.last_update_status_reason or "")


async def test_a_served_image_is_asked_for_again_for_another_architecture(
    images: ImagePlatform,
) -> None:
    """Again and again until it is found, and then no more."""
    await images.apply_image()
    await images.reconcile()
    images.registry.said = NOT_THERE
    await images.apply_image(architecture="arm64")
    for _ in range(2):
        await images.reconcile()
        assert (await images.function()).status.last_update_status == "Failed"
    images.registry.said = ImageDescription(OTHER, ["/entry"])
    for _ in range(2):
        await images.reconcile()
    status = (await images.function()).status
    assert status.configuration
    assert (status.last_update_status, status.configuration.code_sha256) == ("Successful", "b" * 64)
    assert [asked[1] for asked in images.registry.asked] == ["x86_64", "arm64", "arm64", "arm64"]


async def test_an_image_is_not_looked_for_where_something_else_is_wrong(
    images: ImagePlatform,
) -> None:
    await images.apply_image(environmentFrom={"secret": "own"})
    await images.reconcile()
    assert await images.ready() == ("False", "SecretMissing")
    assert (images.registry.asked, images.node.pulled) == ([], [])
    metadata = ObjectMeta(name="own", namespace="team")
    await images.resources.create(Secret(metadata=metadata, string_data={"OWN": "b"}))
    await images.reconcile()
    assert await images.ready() == ("True", "Serving")
