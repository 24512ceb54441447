"""Which resources a change of another one concerns: found by the cache's indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.resources import (
    Configuration,
    Function,
    FunctionAlias,
    FunctionVersion,
    FunctionVersionSpec,
    Namespace,
    NetworkPolicy,
    ObjectMeta,
    PersistentVolumeClaim,
    Route,
    Runtime,
    RuntimeSpec,
    Secret,
)
from pilotlight.resources.registry import KINDS
from pilotlight_operator.services import make_services
from tests.support.buckets import MemoryBuckets
from tests.support.memory import MemoryArtifacts, MemoryResources

from .conftest import Gateways
from .test_alias_service import Nothing

if TYPE_CHECKING:
    from pilotlight.resources import Resource

SPEC = {"runtime": "python3.13", "handler": "a.b", "code": {"inline": "x"}}


def named(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="team")


def function(name: str, **spec: Any) -> Function:
    return Function.model_validate({"metadata": named(name), "spec": SPEC | spec})


def route(name: str, **spec: Any) -> Route:
    spec = {"host": "a.example.com", "path": "/", "function": "shared:live"} | spec
    return Route.model_validate({"metadata": named(name), "spec": spec})


def alias(name: str, of: str) -> FunctionAlias:
    spec = {"function": of, "alias": name, "version": "$PUBLISHED"}
    return FunctionAlias.model_validate({"metadata": named(name), "spec": spec})


def version(of: str) -> FunctionVersion:
    configuration = Configuration(
        runtime="python3.13", handler="a.b", code_sha256="0" * 64, memory=128, timeout=3,
        ephemeral_storage=512,
    )  # fmt: skip
    spec = FunctionVersionSpec(
        function=of, function_name=of, version=1, configuration=configuration, revision="r"
    )
    return FunctionVersion(metadata=named(f"{of}-v1"), spec=spec)


AUTHORIZER = {"type": "authorizer", "authorizer": {"function": "judge"}}
THERE: list[Resource] = [
    function("one", functionName="shared"),
    function("two", functionName="shared", environmentFrom={"secret": "keys"}),
    function("judge", runtime="ruby3.4"),
    function("mounts", fileSystems=[{"claim": "disk", "path": "/mnt/disk"}]),
    alias("live", "one"),
    alias("other", "judge"),
    route("plain"),
    route("judged", host="b.example.com", function="two", auth=AUTHORIZER),
    route("elsewhere", host="c.example.com", function="nobody"),
]
CASES: dict[str, tuple[Resource, set[str]]] = {
    "a function, those of its name, its aliases and its routes": (
        function("one", functionName="shared"), {"one", "two", "live", "plain"},
    ),
    "an authorizer": (function("judge"), {"judge", "other", "judged"}),
    "a Secret": (Secret(metadata=named("keys")), {"two"}),
    "a Secret that nobody refers to": (Secret(metadata=named("none")), set()),
    "a Runtime": (
        Runtime(metadata=ObjectMeta(name="ruby3.4"), spec=RuntimeSpec(image="x")), {"judge"},
    ),
    "a claim": (PersistentVolumeClaim(metadata=named("disk")), {"mounts"}),
    "a policy of nobody's": (NetworkPolicy(metadata=named("none")), set()),
    "a version": (version("judge"), {"other"}),
    "a route, and those of its host": (route("new"), {"plain"}),
    "a namespace": (Namespace(metadata=ObjectMeta(name="team")), set()),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "names"), CASES.values(), ids=CASES)
def test_a_change_concerns(changed: Resource, names: set[str]) -> None:
    cache = Cache(MemoryResources(), *KINDS.values())
    for resource in THERE:
        cache.note(resource)
    services = make_services(
        cache, MemoryArtifacts(), MemoryBuckets(), acknowledgements=Gateways(),
        provisioning=Nothing(), accounts=Accounts(cache), region="us-east-1",
    )  # fmt: skip
    affected = [one for service in services for one in service.affected_by(changed)]
    assert {one.metadata.name for one in affected} == names
