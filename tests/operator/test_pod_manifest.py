"""The pod's manifest: a golden file, and what no change of it may lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotlight.claims import RevisionKey
from pilotlight.compute import PodRequest
from pilotlight.errors import StartFailedError
from pilotlight.names import NETWORK_LABEL
from pilotlight.resources import (
    Mount,
    Network,
    ObjectMeta,
    Runtime,
    RuntimeSpec,
    SecretFiles,
)
from pilotlight.walls import Subnet, Walls
from pilotlight_operator.manifests.network import network_digest
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
    """With what the agent may be late by, for who is ended by a node hears no reason."""
    spec = _manifest(_request(storage=2048))["spec"]
    assert {"name": "temporary", "emptyDir": {"sizeLimit": "2560Mi"}} in spec["volumes"]
    limit = spec["containers"][0]["resources"]["limits"]["ephemeral-storage"]
    assert int(limit.removesuffix("Mi")) > 2560


MOUNT = Mount(
    claim="shared", access_point="fsap-" + "0" * 17, path="/mnt/data", read_only=True,
    user=5000, group=6000,
)  # fmt: skip


@pytest.mark.parametrize("image", ["", "registry/hello:1"])
def test_a_claim_is_mounted_by_its_own_user(image: str) -> None:
    request = replace(_request(), file_systems=(MOUNT,), image=image)
    assert not request.fits_generic
    spec = _manifest(request)["spec"]
    assert spec["volumes"][-1] == {
        "name": "file-system-0",
        "persistentVolumeClaim": {"claimName": "shared", "readOnly": True},
    }
    (container,) = spec["containers"]
    mount = {"name": "file-system-0", "mountPath": "/mnt/data", "readOnly": True}
    assert container["volumeMounts"][-1] == mount
    security = spec["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (5000, 6000)
    assert (security["fsGroup"], security["fsGroupChangePolicy"]) == (6000, "OnRootMismatch")
    assert security["runAsNonRoot"]


@pytest.mark.parametrize("image", ["", "registry/hello:1"])
def test_secrets_are_mounted_to_be_read(image: str) -> None:
    files = (SecretFiles(secret="a", path="/mnt/a"), SecretFiles(secret="b", path="/mnt/b"))
    request = replace(_request(), file_systems=(MOUNT,), secret_files=files, image=image)
    assert not replace(request, file_systems=()).fits_generic
    spec = _manifest(request)["spec"]
    assert spec["volumes"][-1] == {
        "name": "secret-files-1",
        "secret": {"secretName": "b", "defaultMode": 0o444},
    }
    (container,) = spec["containers"]
    assert container["volumeMounts"][-2:] == [
        {"name": f"secret-files-{number}", "mountPath": f"/mnt/{name}", "readOnly": True}
        for number, name in enumerate("ab")
    ]


def test_a_pod_with_a_network_of_its_own_says_so_and_is_in_its_zones() -> None:
    network = Network(security_group_ids=["sg-1a"], subnet_ids=["subnet-a", "subnet-b"])
    request = replace(_request(), network=network)
    assert not request.fits_generic
    walls = Walls(subnets={"subnet-a": Subnet("vpc-1", "za"), "subnet-b": Subnet("vpc-1", "zb")})
    made = _manifest(request, PodSettings(walls=walls))
    assert made["metadata"]["labels"]["pilotlight.dev/network"] == network_digest(network)
    assert made["metadata"]["labels"]["security-group.pilotlight.dev/sg-1a"] == "true"
    terms = made["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    (expression,) = terms[0]["matchExpressions"]
    assert (expression["key"], expression["values"]) == (
        "topology.kubernetes.io/zone", ["za", "zb"],
    )  # fmt: skip
    with pytest.raises(StartFailedError) as refused:
        _manifest(request)
    assert refused.value.reason == "InvalidSubnet"


def test_no_other_pod_is_taken_from_the_default_policy() -> None:
    for request in (_request(), _request(generic=True)):
        assert NETWORK_LABEL not in _manifest(request)["metadata"]["labels"]


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
