"""A destination that is the function itself is refused in manifests as the API refuses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.errors import InvalidResourceError
from pilotlight.manifest import parse_manifest
from pilotlight.names import object_name
from tests.support.http_client import Response, fetch
from tests.support.platform import manifest

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

ITSELF = "You can't specify the function as a destination for itself."
FUNCTIONS = "arn:aws:lambda:us-east-1:000000000000:function:"


def alias(function: str, **asynchronous: str) -> dict[str, Any]:
    return {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "FunctionAlias",
        "metadata": {"name": "prod"},
        "spec": {"function": function, "alias": "prod", "version": "1", "async": asynchronous},
    }


@pytest.mark.parametrize("outcome", ["onSuccess", "onFailure"])
@pytest.mark.parametrize("address", [f"{FUNCTIONS}circle", f"{FUNCTIONS}circle:prod"])
def test_a_function_is_refused_as_its_own_destination(outcome: str, address: str) -> None:
    with pytest.raises(InvalidResourceError, match=ITSELF):
        parse_manifest(manifest("circle", **{"async": {outcome: address}}))
    with pytest.raises(InvalidResourceError, match=ITSELF):
        parse_manifest(alias("circle", **{outcome: address}))


def test_it_is_known_by_its_lambda_name() -> None:
    settings = {"onFailure": f"{FUNCTIONS}My_Circle"}
    with pytest.raises(InvalidResourceError, match=ITSELF):
        parse_manifest(manifest("circle", functionName="My_Circle", **{"async": settings}))
    with pytest.raises(InvalidResourceError, match=ITSELF):
        parse_manifest(alias(object_name("My_Circle"), **settings))


def test_another_function_and_another_kind_of_the_same_name_are_taken() -> None:
    settings = {
        "onFailure": f"{FUNCTIONS}square",
        "onSuccess": "arn:aws:sqs:us-east-1:000000000000:circle",
    }
    parse_manifest(manifest("circle", **{"async": settings}))
    parse_manifest(alias("circle", **settings))


def test_an_object_of_another_name_is_known_by_its_lambda_name(harness: GatewayHarness) -> None:
    """The alias names the object; only the function there says what Lambda calls it."""
    function = manifest("ring-1", functionName="Ring")
    assert apply(harness, function).status == 200
    refused = apply(harness, alias("ring-1", onSuccess=f"{FUNCTIONS}Ring:prod"))
    assert (refused.status, ITSELF in refused.body.decode()) == (400, True)
    other = apply(harness, alias("ring-1", onSuccess=f"{FUNCTIONS}Rings"))
    assert other.status == 200


def test_an_alias_may_come_before_its_function(harness: GatewayHarness) -> None:
    early = alias("ring-2", onSuccess=f"{FUNCTIONS}Later")
    early["metadata"]["name"] = "early"
    assert apply(harness, early).status == 200


def test_nothing_is_stored(harness: GatewayHarness) -> None:
    answer = apply(harness, manifest("circle", **{"async": {"onFailure": f"{FUNCTIONS}circle"}}))
    assert (answer.status, ITSELF in answer.body.decode()) == (400, True)
    assert fetch(_port(harness), "/-/functions/circle").status == 404


def apply(harness: GatewayHarness, document: dict[str, Any]) -> Response:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(document).encode()
    return fetch(_port(harness), "/-/apply", method="POST", headers=headers, body=body)


def _port(harness: GatewayHarness) -> int:
    return int(harness.url.rpartition(":")[2])
