"""A function's network: a policy before the revision is served, and none that opens too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.names import SUPERSEDED_ANNOTATION
from pilotlight.resources import Key, NetworkPolicy, ObjectMeta
from pilotlight.walls import Subnet, Walls, walls
from pilotlight_operator.services import networks
from pilotlight_operator.services.functions import FunctionService

if TYPE_CHECKING:
    from .conftest import Platform

WALLS = walls('{"blocked": ["10.0.0.0/8"], "grants": {"team": {"namespaces": ["databases"]}}}')
GROUP = "sg-0a1b"
CLOSED: dict[str, Any] = {}


def _group(**spec: Any) -> NetworkPolicy:
    labels = {"pilotlight.dev/security-group": GROUP}
    selector = {"matchLabels": {f"security-group.pilotlight.dev/{GROUP}": "true"}}
    whole = {"podSelector": selector, "policyTypes": ["Egress"], "egress": [{}]} | spec
    metadata = ObjectMeta(name="group", namespace="team", labels=labels)
    return NetworkPolicy(metadata=metadata, spec=whole)


def _within(platform: Platform, walls_: Walls | None) -> None:
    """Give the platform's service other walls."""
    service = platform.service
    service._networks = service._facts._networks = networks.Networks(platform.cache, walls_)


async def _policies(platform: Platform) -> list[NetworkPolicy]:
    found = await platform.resources.list(NetworkPolicy, "team")
    return [one for one in found if one.security_group is None]


async def _ready(platform: Platform) -> tuple[str, str]:
    function = await platform.function()
    condition = function.status.condition("Ready")
    assert condition is not None
    return condition.reason, function.status.state_reason_code or ""


async def test_the_policy_is_there_before_the_revision_is(platform: Platform) -> None:
    _within(platform, WALLS)
    await platform.apply(network={"egress": [{"namespace": "databases", "ports": [{"port": 1}]}]})
    platform.gateways.slow = 1
    await platform.reconcile()
    (policy,) = await _policies(platform)
    assert policy.spec["policyTypes"] == ["Egress"]
    assert policy.spec["podSelector"]["matchLabels"] == policy.metadata.labels
    (rule,) = policy.spec["egress"]
    assert rule["ports"] == [{"port": 1, "protocol": "TCP"}]
    function = await platform.function()
    assert function.status.configuration is not None
    assert function.status.configuration.network == function.spec.network
    owners = (policy.metadata.model_extra or {})["ownerReferences"]
    assert owners[0]["uid"] == function.metadata.uid


async def test_a_policy_that_somebody_changes_is_mended(platform: Platform) -> None:
    _within(platform, WALLS)
    await platform.apply(network=CLOSED)
    await platform.reconcile()
    (policy,) = await _policies(platform)
    opened = policy.model_copy(update={"spec": policy.spec | {"egress": [{}]}})
    await platform.resources.replace(opened)
    await platform.reconcile()
    (policy,) = await _policies(platform)
    assert policy.spec["egress"] == []
    writes = platform.writes.count
    await platform.reconcile()
    assert platform.writes.count == writes, "nothing differs, and nothing is written"


@pytest.mark.parametrize(
    ("network", "reason", "code"),
    [
        ({"egress": [{"cidr": "10.1.0.0/16"}]}, "NetworkRefused", "InvalidConfiguration"),
        ({"egress": [{"namespace": "kube-system"}]}, "NetworkRefused", "InvalidConfiguration"),
        ({"subnetIds": ["subnet-a"]}, "SubnetUnknown", "InvalidSubnet"),
        ({"securityGroupIds": ["sg-1"]}, "SecurityGroupUnknown", "InvalidSecurityGroup"),
    ],
)
async def test_what_cannot_be_had_is_said(
    platform: Platform, network: dict[str, Any], reason: str, code: str
) -> None:
    _within(platform, WALLS)
    await platform.apply(network=network)
    await platform.reconcile()
    assert await _ready(platform) == (reason, code)
    for policy in await _policies(platform):
        assert policy.spec["egress"] == [], "nor is it opened"


async def test_one_machine_has_no_walls(platform: Platform) -> None:
    _within(platform, None)
    await platform.apply(network={"public": True})
    await platform.reconcile()
    assert (await _ready(platform))[0] == "NetworkUnsupported"
    assert await _policies(platform) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {}},
        {"policyTypes": ["Ingress", "Egress"]},
        {"policyTypes": ["Ingress"]},
    ],
)
async def test_a_security_group_opens_its_own_pods_outward_alone(
    platform: Platform, spec: dict[str, Any]
) -> None:
    _within(platform, WALLS)
    await platform.resources.create(_group(**spec))
    await platform.apply(network={"securityGroupIds": [GROUP]})
    await platform.reconcile()
    assert await _ready(platform) == ("SecurityGroupUnknown", "InvalidSecurityGroup")


async def test_a_security_group_that_is_there_is_joined(platform: Platform) -> None:
    _within(platform, Walls(subnets={"subnet-a": Subnet("vpc-1")}))
    await platform.resources.create(_group())
    await platform.apply(network={"securityGroupIds": [GROUP], "subnetIds": ["subnet-a"]})
    await platform.reconcile()
    assert await _ready(platform) == ("Serving", "")


async def test_what_nothing_needs_any_more_goes_once_no_pod_can_be_left(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    _within(platform, WALLS)
    await platform.apply(network=CLOSED)
    await platform.reconcile()
    await platform.apply()
    assert await platform.reconcile() == networks.KEPT_SECONDS
    (policy,) = await _policies(platform)
    assert SUPERSEDED_ANNOTATION in policy.metadata.annotations
    monkeypatch.setattr(networks, "KEPT_SECONDS", 0.0)
    await platform.reconcile()
    assert await _policies(platform) == []


async def test_what_a_version_has_stays(platform: Platform) -> None:
    _within(platform, WALLS)
    await platform.apply(network=CLOSED, publish="OnChange")
    await platform.reconcile()
    await platform.apply(network={"public": True}, publish="OnChange")
    await platform.reconcile()
    assert await platform.versions() == [1, 2]
    policies = await _policies(platform)
    assert len(policies) == 2
    assert not any(SUPERSEDED_ANNOTATION in one.metadata.annotations for one in policies)


async def test_a_grant_that_is_taken_back_closes_versions_too(platform: Platform) -> None:
    _within(platform, WALLS)
    egress = [{"namespace": "databases"}]
    await platform.apply(network={"egress": egress}, publish="OnChange")
    await platform.reconcile()
    await platform.apply(publish="OnChange")
    _within(platform, Walls())
    await platform.reconcile()
    (policy,) = await _policies(platform)
    assert policy.spec["egress"] == []


async def test_what_is_needed_again_counts_as_new(platform: Platform) -> None:
    _within(platform, WALLS)
    for network in (CLOSED, None, CLOSED):
        given: dict[str, Any] = {} if network is None else {"network": network}
        await platform.apply("hello", **given)
        await platform.reconcile()
    (policy,) = await _policies(platform)
    assert SUPERSEDED_ANNOTATION not in policy.metadata.annotations


async def test_a_change_of_a_policy_concerns_who_needs_it(platform: Platform) -> None:
    _within(platform, WALLS)
    await platform.apply(network={"securityGroupIds": [GROUP]})
    await platform.apply("other")
    await platform.reconcile()
    concerned = FunctionService.affected_by(platform.service, _group())
    assert [one.key for one in concerned] == [Key("team", "hello")]
