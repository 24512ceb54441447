"""SnapStart over the API: kept, told of versions, and refused where Lambda refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

SOURCE = "def handler(event, context):\n    return 1\n"
APPLIED = {"ApplyOn": "PublishedVersions"}


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error: Any = caught.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    return str(error["Message"])


def test_it_is_kept_and_told_truthfully(platform: GatewayHarness) -> None:
    """No pod waits on this platform, so nothing is optimised; `$LATEST` never is."""
    client = platform.client()
    platform.create("snap-start-snap", SOURCE, SnapStart=APPLIED)
    off = APPLIED | {"OptimizationStatus": "Off"}
    assert client.get_function_configuration(FunctionName="snap-start-snap")["SnapStart"] == off
    assert client.publish_version(FunctionName="snap-start-snap")["SnapStart"] == off
    client.update_function_configuration(
        FunctionName="snap-start-snap", SnapStart={"ApplyOn": "None"}
    )
    wait_for(client, "function_updated_v2", FunctionName="snap-start-snap")
    latest = client.get_function_configuration(FunctionName="snap-start-snap")["SnapStart"]
    assert latest == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    version = client.get_function_configuration(FunctionName="snap-start-snap", Qualifier="1")
    assert version["SnapStart"] == off


def test_what_lambda_does_not_combine_with_it_is_refused(platform: GatewayHarness) -> None:
    client = platform.client()
    ending = "is not supported for SnapStart enabled functions."
    platform.create("snap-start-bare", SOURCE)
    change = client.update_function_configuration
    said = refused(change, FunctionName="snap-start-bare", Runtime="nodejs22.x", SnapStart=APPLIED)
    assert said == f"nodejs22.x {ending}"
    said = refused(
        change, FunctionName="snap-start-bare", EphemeralStorage={"Size": 600}, SnapStart=APPLIED
    )
    assert said.endswith(ending)
    platform.create("snap-start-frozen", SOURCE, SnapStart=APPLIED)
    client.publish_version(FunctionName="snap-start-frozen")
    client.create_alias(FunctionName="snap-start-frozen", Name="live", FunctionVersion="1")
    for qualifier in ("1", "live"):
        said = refused(
            client.put_provisioned_concurrency_config,
            FunctionName="snap-start-frozen", Qualifier=qualifier,
            ProvisionedConcurrentExecutions=1,
        )  # fmt: skip
        assert said == f"Provisioned Concurrency {ending}"
