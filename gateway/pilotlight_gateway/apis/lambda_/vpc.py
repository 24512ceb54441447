"""VpcConfig: subnets of the chart's values; security groups, which are labelled NetworkPolicies.

They are a part of a function's `network`; the operator has its pods run in the subnets' zones and
join the groups (`pilotlight_operator.services.networks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.resources import NetworkPolicy
from pilotlight_gateway.errors import InvalidParameterValueError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import Function
    from pilotlight.walls import Walls
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["UNSUPPORTED_OF_VPC", "check_vpc", "network", "vpc_config"]

UNSUPPORTED_OF_VPC = {
    "Ipv6AllowedForDualStack": "Security groups' NetworkPolicies say which addresses of IPv6 are "
    "reached, too; false may be asked for."
}
"""Members of VpcConfig that are not supported, with the reason."""

_EMPTY = {"public": False, "egress": [], "subnetIds": [], "securityGroupIds": []}


def network(known: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Lay a VpcConfig over a spec's network; where nothing is left the chart's counts again."""
    if given.get("Ipv6AllowedForDualStack"):
        (why,) = UNSUPPORTED_OF_VPC.values()
        raise NotSupportedError(f"Ipv6AllowedForDualStack: true is not supported. {why}")
    before = {"subnetIds": [], "securityGroupIds": []} | dict(known or {})
    wanted = {
        "subnetIds": given.get("SubnetIds", before["subnetIds"]),
        "securityGroupIds": given.get("SecurityGroupIds", before["securityGroupIds"]),
    }
    if bool(wanted["subnetIds"]) != bool(wanted["securityGroupIds"]):
        raise InvalidParameterValueError(
            "SubnetIds and SecurityIds must coexist or be both empty list."
        )
    if not wanted["subnetIds"] and known is None:
        return None
    merged = _EMPTY | before | wanted
    was_of_a_vpc = bool(before["subnetIds"] or before["securityGroupIds"])
    return None if merged == _EMPTY and was_of_a_vpc else merged


async def check_vpc(services: Services, call: Call) -> None:
    """Raise InvalidParameterValueError for a subnet or a security group that is not there."""
    given = call.input.get("VpcConfig") or {}
    subnets, groups = given.get("SubnetIds") or [], given.get("SecurityGroupIds") or []
    if not subnets and not groups:
        return
    walls = services.settings.walls
    if walls is None:
        raise NotSupportedError(
            "VpcConfig is not supported in local mode, which walls nothing in: leave it out of the "
            "request, or take a cluster."
        )
    _check_subnets(walls, subnets)
    policies = await services.resources.list(NetworkPolicy, call.namespace)
    there = {policy.security_group for policy in policies}
    if unknown := [group for group in groups if group not in there]:
        raise InvalidParameterValueError(
            "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. "
            f"EC2 Error Message: The security group '{unknown[0]}' does not exist"
        )


def _check_subnets(walls: Walls, subnets: list[str]) -> None:
    if unknown := [subnet for subnet in subnets if subnet not in walls.subnets]:
        raise InvalidParameterValueError(
            "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. "
            f"EC2 Error Message: The subnet ID '{unknown[0]}' does not exist"
        )
    vpcs = sorted({walls.subnets[subnet].vpc for subnet in subnets})
    if len(vpcs) > 1:
        raise InvalidParameterValueError(
            f"SubnetIds are of several VPCs, {', '.join(vpcs)}: subnets of one VPC are expected."
        )


def vpc_config(function: Function, walls: Walls | None) -> dict[str, Any]:
    """Return what an answer says of a function's VPC; nothing where it is in none."""
    asked = function.spec.network
    if asked is None or not (asked.subnet_ids or asked.security_group_ids):
        return {}
    subnets = walls.subnets if walls else {}
    vpcs = [subnets[subnet].vpc for subnet in asked.subnet_ids if subnet in subnets]
    return {
        "VpcConfig": {
            "SubnetIds": asked.subnet_ids,
            "SecurityGroupIds": asked.security_group_ids,
            "VpcId": vpcs[0] if vpcs else "",
            "Ipv6AllowedForDualStack": False,
        }
    }
