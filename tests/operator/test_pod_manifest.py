"""The pod's manifest: a golden file, and what no change of it may lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotlight.claims import RevisionKey
from pilotlight.compute import PodRequest
from pilotlight.resources import ObjectMeta, Runtime, RuntimeSpec
from pilotlight_operator.manifests.pod import (
    PodSettings,
    assignment,
    manifest,
    narrowing,
)
from pilotlight_operator.manifests.users import uid_of

GOLDEN = Path(__file__).parent / "golden"
RUNTIME = Runtime(
    metadata=ObjectMeta(name="python3.13", uid="uid-of-runtime"),
    spec=RuntimeSpec(image="registry/python3.13:1"),
)
REVISION = RevisionKey("team", "hello", "0123456789abcdef")


def _request(memory: int = 512, *, generic: bool = False, storage: int = 512) -> PodRequest:
    return PodRequest(
        namespace="team",
        runtime="python3.13",
        memory=memory,
        ephemeral_storage=storage,
        revision=None if generic else REVISION,
        function_uid="" if generic else "uid-of-function",
    )


def _manifest(request: PodRequest, settings: PodSettings | None = None) -> dict[str, Any]:
    return manifest("pod-1", "d1ce" * 16, request, RUNTIME, settings or PodSettings())


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("pod", _request()),
        ("generic-pod", _request(generic=True)),
        ("image-pod", replace(_request(), image="registry/hello:1")),
    ],
)
def test_the_manifest_is_as_its_golden_file(name: str, request_: PodRequest) -> None:
    """Write the file anew where a change is meant, and read the difference."""
    assert yaml.safe_load((GOLDEN / f"{name}.yaml").read_text()) == _manifest(request_)


def test_no_generic_pod_has_a_functions_image() -> None:
    assert _request().fits_generic
    assert not replace(_request(), image="registry/hello:1").fits_generic


@pytest.mark.parametrize(
    ("memory", "cpu", "limit"),
    [(128, "500m", "192Mi"), (1769, "1000m", "1833Mi"), (10_240, "5789m", "10304Mi")],
)
def test_limits_follow_the_memory(memory: int, cpu: str, limit: str) -> None:
    """One CPU stands for 1,769 MB, but never less than the least."""
    container = _manifest(_request(memory))["spec"]["containers"][0]
    assert (
        container["resources"]["limits"]["cpu"],
        container["resources"]["limits"]["memory"],
    ) == (
        cpu,
        limit,
    )


def test_storage_follows_the_function() -> None:
    volumes = _manifest(_request(storage=2048))["spec"]["volumes"]
    assert {"name": "temporary", "emptyDir": {"sizeLimit": "2048Mi"}} in volumes


def test_each_function_has_a_user_id_of_its_own() -> None:
    ids = {uid_of(f"team-{n}", f"fn-{m}") for n in range(50) for m in range(50)}
    assert len(ids) == 2500
    assert min(ids) >= 100_000
    assert max(ids) < 2**31
    assert uid_of("team", "hello") == uid_of("team", "hello")


def test_an_assigned_pod_goes_with_its_function() -> None:
    patch = assignment(_request())
    (owner,) = patch["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (
        "Function",
        "uid-of-function",
        True,
    )
    assert patch["metadata"]["labels"]["pilotlight.dev/revision"] == REVISION.revision
    assert patch["metadata"]["annotations"] == {}


def test_a_tenants_pod_says_whose_it_is() -> None:
    """To the next leader, who reads it; and its processes are of no other tenant's user."""
    users = set()
    for tenant in ("red", "blue"):
        request = replace(_request(), revision=REVISION._replace(tenant=tenant))
        made = _manifest(request)
        assert made["metadata"]["annotations"]["pilotlight.dev/tenant-id"] == tenant
        assert assignment(request)["metadata"]["annotations"] == {
            "pilotlight.dev/tenant-id": tenant
        }
        users.add(made["spec"]["securityContext"]["runAsUser"])
    assert len(users) == 2


def test_narrowing_names_only_what_can_change_in_place() -> None:
    """CPU and memory of the agent's container, as a pod of the function's own would have them."""
    (container,) = narrowing(_request(), RUNTIME, PodSettings())["spec"]["containers"]
    (own,) = _manifest(_request())["spec"]["containers"]
    assert container["name"] == own["name"]
    for kind, values in container["resources"].items():
        assert values.keys() == {"cpu", "memory"}
        assert values.items() <= own["resources"][kind].items()
