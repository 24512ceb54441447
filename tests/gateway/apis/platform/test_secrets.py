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


def apply(platform: GatewayHarness, secret: str) -> tuple[int, Any]:
    document = manifest("reader", environmentFrom={"secret": secret})
    status, _, body = platform.post("/-/apply", json.dumps(document).encode())
    return status, json.loads(body)


@pytest.mark.parametrize("labels", [{}, {FUNCTION_LABEL: "another"}, {ENVIRONMENT_LABEL: "no"}])
def test_a_secret_that_is_not_for_functions_is_refused(
    platform: GatewayHarness, labels: dict[str, str]
) -> None:
    """Its values would be the function's variables, and so the caller's to read."""
    name = f"foreign-{len(str(labels))}"
    metadata = ObjectMeta(name=name, namespace="default", labels=labels)
    platform.call(platform.resources.create(Secret(metadata=metadata, string_data={"K": "v"})))
    status, body = apply(platform, name)
    assert status == 400
    assert f"{ENVIRONMENT_LABEL}=true is expected" in body["message"]


def test_one_that_is_not_there_is_refused(platform: GatewayHarness) -> None:
    """Who waits for another to make it would read it then."""
    assert apply(platform, "nowhere")[0] == 400


def test_one_that_is_labelled_is_taken(platform: GatewayHarness) -> None:
    metadata = ObjectMeta(name="open", namespace="default", labels={ENVIRONMENT_LABEL: "true"})
    platform.call(platform.resources.create(Secret(metadata=metadata, string_data={"K": "v"})))
    assert apply(platform, "open")[0] == 200
