"""What an account may open: never, by its own word, an address that the chart keeps closed."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pilotlight.resources import Egress, Key, Network
from pilotlight.walls import Grant, Subnet, Walls, walls
from pilotlight_operator.manifests.network import network_policy

BLOCKED = tuple(map(ip_network, ("10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "fe80::/10")))
WALLS = Walls(
    blocked=BLOCKED,
    grants={
        "team": Grant(cidrs=(ip_network("10.20.0.0/16"),), namespaces=("databases",)),
        "open": Grant(public=True),
    },
)


@pytest.mark.parametrize(
    ("egress", "allowed"),
    [
        ({"cidr": "203.0.113.0/24"}, True),
        ({"cidr": "0.0.0.0/0"}, True),  # but for its holes
        ({"cidr": "10.20.3.0/24"}, True),
        ({"cidr": "10.21.0.0/16"}, False),
        ({"cidr": "10.0.0.0/8"}, False),
        ({"cidr": "169.254.169.254/32"}, False),
        ({"cidr": "fe80::/64"}, False),
        ({"cidr": "2001:db8::/32"}, True),
        ({"namespace": "databases"}, True),
        ({"namespace": "pilotlight"}, False),
        ({"namespace": "team"}, True),
        ({"podLabels": {"app": "cache"}}, True),
    ],
    ids=str,
)
def test_what_an_account_may_open(egress: dict[str, object], *, allowed: bool) -> None:
    network = Network.model_validate({"egress": [egress]})
    refused = WALLS.refusal("team", network)
    assert (refused is None) == allowed
    if refused:
        assert "functions.network.grants.team" in refused


@pytest.mark.parametrize("cidr", ["203.0.113.1/24", "256.0.0.0/8", "1.0.0.0/33", "::1/64", ":::/9"])
def test_what_is_no_range_is_said_and_opens_nothing(cidr: str) -> None:
    """A pattern cannot tell, so the API server takes it."""
    network = Network(egress=[Egress(cidr=cidr)])
    assert cidr in (WALLS.refusal("team", network) or "")
    assert network_policy(Key("team", "fn"), network, WALLS).spec["egress"] == []


def test_what_is_granted_to_one_account_is_not_to_another() -> None:
    network = Network(egress=[Egress(cidr="10.20.3.0/24")])
    assert WALLS.refusal("team", network) is None
    assert "10.20.3.0/24" in (WALLS.refusal("other", network) or "")


def test_deny_by_default_closes_what_functions_declare() -> None:
    closed = Walls(blocked=BLOCKED, deny_by_default=True, grants=WALLS.grants)
    public, range_ = Network(public=True), Network(egress=[Egress(cidr="203.0.113.0/24")])
    assert closed.refusal("team", public)
    assert closed.refusal("team", range_)
    assert closed.refusal("open", public) is None
    assert closed.refusal("open", range_) is None


@given(
    base=st.integers(0, 2**32 - 1),
    length=st.integers(0, 32),
    at=st.integers(0, 2**32 - 1),
    public=st.booleans(),
)
def test_no_policy_opens_a_blocked_address(
    base: int, length: int, at: int, *, public: bool
) -> None:
    """Whatever is declared, of whoever has no grant for it; addresses near holes are tried most."""
    cidr = IPv4Network((base, length), strict=False)
    network = Network(public=public, egress=[Egress(cidr=str(cidr))])
    policy = network_policy(Key("other", "fn"), network, WALLS)
    inside = IPv4Address(int(BLOCKED[at % 3].network_address) + at % BLOCKED[at % 3].num_addresses)
    assert not any(_opens(peer["ipBlock"], inside) for peer in _peers(policy.spec))


@given(st.integers(0, 2**32 - 1))
def test_the_public_internet_is_the_rest(at: int) -> None:
    address = IPv4Address(at)
    policy = network_policy(Key("other", "fn"), Network(public=True), WALLS)
    closed = any(address in one for one in BLOCKED)
    assert any(_opens(peer["ipBlock"], address) for peer in _peers(policy.spec)) != closed


def _peers(spec: dict[str, list[dict[str, list[dict[str, dict[str, object]]]]]]) -> list:  # type: ignore[type-arg]
    return [peer for rule in spec["egress"] for peer in rule["to"]]


def _opens(block: dict[str, object], address: IPv4Address) -> bool:
    holes: list[str] = block.get("except", [])  # type: ignore[assignment]
    cidr = str(block["cidr"])
    return address in ip_network(cidr) and not any(address in ip_network(one) for one in holes)


def test_a_grant_that_is_taken_back_closes_what_it_had_opened() -> None:
    network = Network(egress=[Egress(cidr="10.20.3.0/24"), Egress(namespace="databases")])
    before = network_policy(Key("team", "fn"), network, WALLS)
    after = network_policy(Key("team", "fn"), network, Walls(blocked=BLOCKED))
    assert len(before.spec["egress"]) == 2
    assert after.spec["egress"] == []
    assert after.key == before.key


@pytest.mark.parametrize(
    "given_",
    [
        {"podLabels": {"a b": "c"}}, {"podLabels": {"a": "b c"}}, {"cidr": "somewhere"}, {},
        {"cidr": "1.0.0.0/8", "namespace": "x"},
        {"cidr": "1.0.0.0/8", "ports": [{"port": 9, "endPort": 8}]},
    ],
)  # fmt: skip
def test_odd_egress_is_refused(given_: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Egress.model_validate(given_)


def test_the_charts_values_are_read() -> None:
    values = {
        "blocked": ["10.0.0.0/8"], "denyByDefault": True,
        "grants": {"team": {"cidrs": ["10.1.0.0/16"], "namespaces": ["db"], "public": True}},
        "subnets": {"subnet-a": {"vpc": "vpc-1"}},
    }  # fmt: skip
    read = walls(json.dumps(values))
    assert read.deny_by_default
    assert read.subnets == {"subnet-a": Subnet("vpc-1")}
    assert read.grants["team"] == Grant(
        public=True, cidrs=(ip_network("10.1.0.0/16"),), namespaces=("db",)
    )


@pytest.mark.parametrize(
    "text", ["[]", "x", '{"grants": []}', '{"subnets": {"subnet-a": {}}}', '{"blocked": ["x"]}']
)
def test_other_values_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|Expecting|not appear"):
        walls(text)
