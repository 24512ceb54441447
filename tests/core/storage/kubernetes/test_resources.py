"""Resources in the Kubernetes API: shapes, bounds and refusals."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.errors import ConflictError, InvalidResourceError, NotFoundError
from pilotlight.names import ACCESS_KEY_LABEL
from pilotlight.resources import Function, FunctionStatus, Key, ObjectMeta, Secret
from pilotlight.storage.kubernetes.resources import KubernetesResources
from pilotlight.storage.kubernetes.wire import from_wire, to_wire
from tests.support.api_server import ApiServer

if TYPE_CHECKING:
    from pilotlight.storage.kubernetes.api import KubernetesApi

SPEC = {"runtime": "python3.13", "handler": "index.handler", "code": {"inline": "x"}}
FUNCTIONS = "/apis/pilotlight.dev/v1alpha1/namespaces/{}/functions"
SECRETS = "/api/v1/namespaces/{}/secrets"


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def resources(server: ApiServer) -> KubernetesResources:
    api = cast("KubernetesApi", server)
    return KubernetesResources(api, ["team", "other"], release_namespace="release")


def _function(**spec: Any) -> Function:
    metadata = {"name": "hello", "namespace": "team"}
    return Function.model_validate({"metadata": metadata, "spec": SPEC | spec})


async def test_what_is_written_comes_back(resources: KubernetesResources) -> None:
    created = await resources.create(_function(memory=256))
    assert created.metadata.uid
    read = await resources.get(Function, Key("team", "hello"))
    assert read == created
    assert [one.metadata.name for one in await resources.list(Function)] == ["hello"]
    assert await resources.list(Function, "other") == []


async def test_a_stale_replace_conflicts(resources: KubernetesResources) -> None:
    created = await resources.create(_function())
    await resources.replace(created.model_copy(update={"spec": _function(memory=256).spec}))
    with pytest.raises(ConflictError):
        await resources.replace(created)


async def test_a_status_is_replaced_whole(resources: KubernetesResources) -> None:
    function = await resources.create(_function())
    first = FunctionStatus(revision="r1", state_reason="gone soon")
    await resources.write_status(function.model_copy(update={"status": first}))
    second = FunctionStatus(revision="r2")
    await resources.write_status(function.model_copy(update={"status": second}))
    assert (await resources.get(Function, function.key)).status == second


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (Function, Key("stranger", "hello")),
        (Function, Key("release", "hello")),
        (Secret, Key("kube-system", "token")),
    ],
)
async def test_other_namespaces_are_not_even_asked_for(
    resources: KubernetesResources, server: ApiServer, kind: type[Function | Secret], key: Key
) -> None:
    with pytest.raises(NotFoundError, match="not an account"):
        await resources.get(kind, key)
    assert not server.requests


async def test_access_keys_of_the_release_are_listed(
    resources: KubernetesResources, server: ApiServer
) -> None:
    data = {"accessKeyId": base64.b64encode(b"AKID").decode()}
    path = f"{SECRETS.format('release')}/key"
    server.put(path, kind="Secret", data=data, metadata={"labels": {ACCESS_KEY_LABEL: "true"}})
    (found,) = await resources.list(Secret, "release")
    assert found.string_data == {"accessKeyId": "AKID"}


async def test_one_unreadable_resource_hides_no_other(
    resources: KubernetesResources, server: ApiServer
) -> None:
    await resources.create(_function())
    server.put(f"{FUNCTIONS.format('team')}/broken", kind="Function", spec={"memory": 1})
    assert [one.metadata.name for one in await resources.list(Function)] == ["hello"]
    with pytest.raises(InvalidResourceError, match="broken"):
        await resources.get(Function, Key("team", "broken"))


def test_a_secret_keeps_what_is_no_text() -> None:
    binary = base64.b64encode(b"\xff\xfe").decode()
    stored = {
        "metadata": {"name": "s", "namespace": "team"},
        "type": "kubernetes.io/tls",
        "data": {"binary": binary, "old": base64.b64encode(b"1").decode()},
    }
    secret = from_wire(Secret, stored)
    assert secret.string_data == {"old": "1"}
    body = to_wire(secret.model_copy(update={"string_data": {"new": "2"}}), stored)
    assert body["type"] == "kubernetes.io/tls"
    assert body["data"] == {"binary": binary, "new": base64.b64encode(b"2").decode()}
    assert "stringData" not in body


def test_metadata_that_pilotlight_does_not_know_survives() -> None:
    metadata = {"name": "hello", "namespace": "team", "finalizers": ["x/y"]}
    function = from_wire(Function, {"metadata": metadata, "spec": SPEC})
    assert to_wire(function)["metadata"]["finalizers"] == ["x/y"]
    assert isinstance(function.metadata, ObjectMeta)
