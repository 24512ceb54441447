"""Whoever may apply a function gets no Secret that was not made for functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.names import ENVIRONMENT_LABEL, FUNCTION_LABEL
from pilotlight.resources import ObjectMeta, Secret
from tests.support.platform import manifest

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness


WAYS: dict[str, Any] = {
    "variables": lambda name: {"environmentFrom": {"secret": name}},
    "files": lambda name: {"secretFiles": [{"secret": name, "path": "/mnt/secrets"}]},
}


def apply(platform: GatewayHarness, secret: str, way: str = "variables") -> tuple[int, Any]:
    document = manifest("reader", **WAYS[way](secret))
    status, _, body = platform.post("/-/apply", json.dumps(document).encode())
    return status, json.loads(body)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("labels", [{}, {FUNCTION_LABEL: "another"}, {ENVIRONMENT_LABEL: "no"}])
def test_a_secret_that_is_not_for_functions_is_refused(
    platform: GatewayHarness, labels: dict[str, str], way: str
) -> None:
    """Its values would be the function's, and so the caller's to read."""
    name = f"foreign-{len(str(labels))}-{way}"
    metadata = ObjectMeta(name=name, namespace="default", labels=labels)
    platform.call(platform.resources.create(Secret(metadata=metadata, string_data={"K": "v"})))
    status, body = apply(platform, name, way)
    assert status == 400
    assert f"{ENVIRONMENT_LABEL}=true is expected" in body["message"]


@pytest.mark.parametrize("way", WAYS)
def test_one_that_is_not_there_is_refused(platform: GatewayHarness, way: str) -> None:
    """Who waits for another to make it would read it then."""
    assert apply(platform, "nowhere", way)[0] == 400


@pytest.mark.parametrize("way", WAYS)
def test_one_that_is_labelled_is_taken(platform: GatewayHarness, way: str) -> None:
    name, labels = f"open-{way}", {ENVIRONMENT_LABEL: "true"}
    metadata = ObjectMeta(name=name, namespace="default", labels=labels)
    platform.call(platform.resources.create(Secret(metadata=metadata, string_data={"K": "v"})))
    assert apply(platform, name, way)[0] == 200
