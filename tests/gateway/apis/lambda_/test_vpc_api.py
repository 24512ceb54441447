"""VpcConfig over the API: subnets of the chart, security groups that are labelled policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.resources import Function, Key, NetworkPolicy, ObjectMeta
from pilotlight_gateway.apis.lambda_.vpc import network
from tests.support.gateway import wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

SOURCE = "def handler(event, context):\n    return 1\n"
GROUP, SUBNETS = "sg-0a1b2c", ["subnet-0a1", "subnet-0b2"]
VPC = {"SubnetIds": SUBNETS, "SecurityGroupIds": [GROUP]}
DESCRIBE_SUBNETS = (
    "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. "
    "EC2 Error Message: The subnet ID "
)
DESCRIBE_GROUPS = (
    "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. "
    "EC2 Error Message: The security group "
)
TOLD = VPC | {"VpcId": "vpc-0f", "Ipv6AllowedForDualStack": False}


@pytest.fixture(scope="module", autouse=True)
def group(platform: GatewayHarness) -> None:
    metadata = ObjectMeta(
        name="group", namespace="default", labels={"pilotlight.dev/security-group": GROUP}
    )
    selector = {"matchLabels": {f"security-group.pilotlight.dev/{GROUP}": "true"}}
    spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": [{}]}
    platform.call(platform.resources.create(NetworkPolicy(metadata=metadata, spec=spec)))


def test_it_is_told_as_it_was_given(platform: GatewayHarness) -> None:
    """With its VpcId; until it is taken away, and of a version for ever."""
    client, name = platform.client(), "vpc-kept"
    created = platform.create(name, SOURCE, VpcConfig=VPC | {"Ipv6AllowedForDualStack": False})
    assert created["VpcConfig"] == TOLD
    assert client.publish_version(FunctionName=name)["VpcConfig"] == TOLD
    assert client.update_function_configuration(FunctionName=name, Timeout=9)["VpcConfig"] == TOLD
    wait_for(client, "function_updated_v2", FunctionName=name)
    empty: dict[str, list[str]] = {"SubnetIds": [], "SecurityGroupIds": []}
    gone = client.update_function_configuration(FunctionName=name, VpcConfig=empty)
    assert "VpcConfig" not in gone
    wait_for(client, "function_updated_v2", FunctionName=name)
    frozen = client.get_function_configuration(FunctionName=name, Qualifier="1")
    assert frozen["VpcConfig"] == TOLD
    found = platform.call(platform.resources.get(Function, Key("default", name)))
    assert found.spec.network is None


def test_an_empty_one_is_none(platform: GatewayHarness) -> None:
    empty: dict[str, list[str]] = {"SubnetIds": [], "SecurityGroupIds": []}
    assert "VpcConfig" not in platform.create("vpc-none", SOURCE, VpcConfig=empty)


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        (
            VPC | {"SubnetIds": ["subnet-9"]}, "InvalidParameterValueException",
            DESCRIBE_SUBNETS + "'subnet-9' does not exist",
        ),
        (
            VPC | {"SecurityGroupIds": ["sg-9"]}, "InvalidParameterValueException",
            DESCRIBE_GROUPS + "'sg-9' does not exist",
        ),
        (
            {"SubnetIds": SUBNETS}, "InvalidParameterValueException",
            "SubnetIds and SecurityIds must coexist or be both empty list.",
        ),
        (
            VPC | {"SubnetIds": ["subnet-0a1", "subnet-0c3"]}, "InvalidParameterValueException",
            "SubnetIds are of several VPCs, vpc-0f, vpc-1e: subnets of one VPC are expected.",
        ),
        (
            VPC | {"Ipv6AllowedForDualStack": True}, "NotImplementedException",
            "Ipv6AllowedForDualStack: true is not supported. ",
        ),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(
    platform: GatewayHarness, config: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(ClientError) as caught:
        platform.create("vpc-refused", SOURCE, VpcConfig=config)
    error: Any = caught.value.response["Error"]
    assert error["Code"] == code
    assert error["Message"].startswith(said)


def test_what_a_manifest_declared_stays() -> None:
    """The API knows nothing of it, and a network that is closed stays closed."""
    closed: dict[str, Any] = {"public": False, "egress": []}
    declared = {"public": True, "egress": [{"cidr": "1.0.0.0/8"}]}
    joined = network(declared, VPC)
    assert joined == declared | {"subnetIds": SUBNETS, "securityGroupIds": [GROUP]}
    empty: dict[str, list[str]] = {"SubnetIds": [], "SecurityGroupIds": []}
    assert network(joined, empty) == declared | {"subnetIds": [], "securityGroupIds": []}
    assert network(closed, empty) == closed | {"subnetIds": [], "securityGroupIds": []}
    assert network(None, empty) is None
