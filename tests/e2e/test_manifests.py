"""What someone with kubectl alone lives with: explain, get, wait, conditions, clear refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from pilotlight.resources import Function
from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from tests.support.cluster import Installation

SOURCE = "def handler(event, context):\n    return 1\n"


def _manifest(platform: Installation, **spec: Any) -> dict[str, Any]:
    plain = {"runtime": "python3.13", "handler": "index.handler", "code": {"inline": SOURCE}}
    return {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "refused", "namespace": platform.account},
        "spec": plain | spec,
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "memory 127": ({"memory": 127}, "spec.memory"),
    "memory 10241": ({"memory": 10_241}, "spec.memory"),
    "timeout 0": ({"timeout": 0}, "spec.timeout"),
    "timeout 901": ({"timeout": 901}, "spec.timeout"),
    "handler with a blank": ({"handler": "index handler"}, "spec.handler"),
    "no code": ({"code": {}}, "exactly one of inline, zip, s3 and image"),
    "two codes": ({"code": {"inline": "x", "image": "y"}}, "exactly one of inline, zip"),
    "runtime with image": ({"code": {"image": "y"}}, "not supported with code.image"),
    "no runtime": ({"runtime": None}, "runtime and handler are required"),
    "reserved variable": ({"environment": {"AWS_REGION": "x"}}, "reserved keys"),
    "odd variable": ({"environment": {"9lives": "x"}}, "must match"),
    "large environment": ({"environment": {"BIG": "x" * 4090, "MORE": "yyyy"}}, "4KB limit"),
    "multi-byte environment": ({"environment": {"BIG": "ü" * 2048}}, "4KB limit"),
    "log level of text": ({"logging": {"applicationLevel": "INFO"}}, "format JSON"),
    "unknown field": ({"memorySize": 128}, "memorySize"),
    "51 tags": ({"tags": {f"t{n}": "x" for n in range(51)}}, "spec.tags"),
    "odd architecture": ({"architecture": "mips"}, "spec.architecture"),
    "claim and access point": (
        {"fileSystems": [{"claim": "c", "accessPoint": "fsap-" + "0" * 17, "path": "/mnt/x"}]},
        "either claim or accessPoint",
    ),
    "no folder of /mnt": ({"fileSystems": [{"claim": "c", "path": "/mnt/.."}]}, "path"),
    "two file systems": (
        {"fileSystems": [{"claim": name, "path": f"/mnt/{name}"} for name in "ab"]},
        "spec.fileSystems",
    ),
    "a range and pods": (
        {"network": {"egress": [{"cidr": "1.0.0.0/8", "namespace": "x"}]}},
        "either cidr or pods",
    ),
    "no range": ({"network": {"egress": [{"cidr": "everywhere"}]}}, "cidr"),
    "an odd label": ({"network": {"egress": [{"podLabels": {"a b": "c"}}]}}, "labels' names"),
    "ports downwards": (
        {"network": {"egress": [{"cidr": "1.0.0.0/8", "ports": [{"port": 2, "endPort": 1}]}]}},
        "endPort is below port",
    ),
    "odd sha256": ({"code": {"zip": "abc"}}, "spec.code.zip"),
}


@pytest.mark.parametrize(("spec", "says"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_by_the_api_server_as_by_the_models(
    platform: Installation, spec: dict[str, Any], says: str
) -> None:
    """One clear error that names the field, and nothing is stored."""
    manifest = _manifest(platform, **spec)
    with pytest.raises(ValidationError):
        Function.model_validate(manifest)
    plain = json.dumps(
        {**manifest, "spec": {k: v for k, v in manifest["spec"].items() if v is not None}}
    )
    with pytest.raises(AssertionError) as refused:
        kubectl("create", "--validate=strict", "-f", "-", stdin=plain)
    assert says in str(refused.value)
    assert not kubectl("get", "fn", "refused", "-n", platform.account, "--ignore-not-found")


def test_function_name_is_immutable(platform: Installation) -> None:
    """A function is not renamed under its callers."""
    platform.apply("named", SOURCE, functionName="First")
    with pytest.raises(AssertionError, match="functionName is immutable"):
        platform.apply("named", SOURCE, functionName="Second")
    platform.delete("named")


def test_kubectl_explains_and_lists(platform: Installation) -> None:
    """Every field is described; the columns answer what one wants to know first."""
    assert "Seconds an invocation may take" in kubectl("explain", "fn.spec.timeout")
    platform.apply("listed", SOURCE)
    platform.wait_ready("listed")
    head, row = kubectl("get", "fn", "listed", "-n", platform.account).splitlines()
    assert head.split() == [
        "NAME",
        "READY",
        "REASON",
        "RUNTIME",
        "MEMORY",
        "STATE",
        "REVISION",
        "AGE",
    ]
    assert row.split()[:6] == ["listed", "True", "Serving", "python3.13", "128", "Active"]
    platform.delete("listed")


def test_conditions_say_why(platform: Installation) -> None:
    """A runtime that nothing here runs is a condition, repaired by the next apply."""
    platform.apply("wanting", SOURCE, runtime="ruby3.4", handler="function.handler")
    wait = ("wait", "-n", platform.account, "fn/wanting", "--timeout=30s")
    kubectl(*wait, "--for=condition=Ready=false")
    ready = _condition(platform.function("wanting"), "Ready")
    assert ready["reason"] == "RuntimeUnavailable"
    assert "ruby3.4" in ready["message"]
    platform.apply("wanting", SOURCE)
    platform.wait_ready("wanting")
    function = platform.function("wanting")
    assert _condition(function, "Ready")["observedGeneration"] == function["metadata"]["generation"]
    assert "finalizers" not in function["metadata"]
    platform.delete("wanting")


def _condition(function: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [one for one in function["status"]["conditions"] if one["type"] == kind]
    return dict(found)
