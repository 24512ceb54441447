"""The chart's environment variables are what the processes read, and each that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pilotlight.hosts import Hosts
from pilotlight.settings import PREFIX, settings_of
from pilotlight.walls import Subnet
from pilotlight_gateway.settings import GatewaySettings
from pilotlight_operator.settings import OperatorSettings
from tests.chart.test_chart import EVERY_OPTION, program, render
from tests.support.cluster import CHART

if TYPE_CHECKING:
    from pilotlight.settings import Setting

__all__ = ["program"]

PROCESSES = {"gateway": GatewaySettings, "operator": OperatorSettings}
VALUES = {
    "PILOTLIGHT_REGION": "region",
    "PILOTLIGHT_DOMAIN": "domain",
    "PILOTLIGHT_SCHEME": "scheme",
    "PILOTLIGHT_CONCURRENCY_LIMIT": "concurrencyLimit",
    "PILOTLIGHT_LEAST_CPU": "functions.leastCpu",
    "PILOTLIGHT_CPU_REQUEST": "functions.cpuRequest",
    "PILOTLIGHT_PULL_SECRET": "functions.imagePullSecret",
    "PILOTLIGHT_AWS_ENDPOINT_URL": "aws.endpointUrl",
    "PILOTLIGHT_ROLE_TOKEN_AUDIENCE": "roles.tokenAudience",
}
"""Values of the chart by the variable that brings them."""


def given(program: str, process: str) -> dict[str, Any]:
    """Return the variables of a process's container, with the value where it has one here."""
    for one in render(program, EVERY_OPTION):
        if one["kind"] == "Deployment" and one["metadata"]["name"].endswith(f"-{process}"):
            (container,) = one["spec"]["template"]["spec"]["containers"]
            return {entry["name"]: entry.get("value") for entry in container["env"]}
    raise AssertionError(f"no Deployment of the {process}")


def settings(process: str) -> dict[str, Setting]:
    return {one.variable: one for one in settings_of(PROCESSES[process])}


@pytest.mark.parametrize("process", PROCESSES)
def test_every_variable_is_read_and_every_need_is_met(program: str, process: str) -> None:
    known = settings(process)
    came = {name for name in given(program, process) if name.startswith(PREFIX)}
    assert came <= known.keys(), "nothing reads these"
    assert {name for name, one in known.items() if one.required} <= came


@pytest.mark.parametrize("process", PROCESSES)
def test_a_default_is_the_same_in_chart_and_process(process: str) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, one in settings(process).items():
        if name in VALUES and not one.required:
            found: Any = values
            for key in VALUES[name].split("."):
                found = found[key]
            assert found == one.default, name


@pytest.mark.parametrize("process", PROCESSES)
def test_a_value_of_the_chart_arrives(program: str, process: str) -> None:
    """The limit of environments was once read by nobody."""
    assert given(program, process)["PILOTLIGHT_CONCURRENCY_LIMIT"] == "77"


@pytest.mark.parametrize("process", PROCESSES)
def test_private_places_arrive(program: str, process: str) -> None:
    """Gateways poll sources there, the operator fetches packages from buckets."""
    came = given(program, process)["PILOTLIGHT_PRIVATE_SOURCES"]
    assert came == ",".join(EVERY_OPTION["eventSources"]["private"])


@pytest.mark.parametrize("process", PROCESSES)
def test_hosts_arrive_and_the_releases_own_are_reserved(program: str, process: str) -> None:
    """Operator and gateway judge routes by the same hosts, whatever the values leave out."""
    came = given(program, process)
    reserved = settings(process)["PILOTLIGHT_RESERVED_HOSTS"].parse
    owned = settings(process)["PILOTLIGHT_ACCOUNT_HOSTS"].parse
    assert reserved is not None
    assert owned is not None
    hosts = Hosts(
        reserved(came["PILOTLIGHT_RESERVED_HOSTS"]), owned(came["PILOTLIGHT_ACCOUNT_HOSTS"])
    )
    namespace = came["PILOTLIGHT_RELEASE_NAMESPACE"]
    assert not hosts.allows("team-b", f"{came['PILOTLIGHT_LEASE_NAME']}-gateway.{namespace}")
    assert not hosts.allows("team-b", "lambda.example.com")
    assert hosts.allows("team-a", "a.shop.example.com")
    assert not hosts.allows("team-b", "a.shop.example.com")


@pytest.mark.parametrize("process", PROCESSES)
def test_walls_arrive(program: str, process: str) -> None:
    """Operator and gateway know the same subnets, and what is closed is what the policies close."""
    parse = settings(process)["PILOTLIGHT_WALLS"].parse
    assert parse is not None
    walls = parse(given(program, process)["PILOTLIGHT_WALLS"])
    assert {str(one) for one in walls.blocked} >= {"169.254.0.0/16", "10.0.0.0/8", "fe80::/10"}
    assert walls.deny_by_default
    assert walls.subnets == {"subnet-0a": Subnet("vpc-1", "eu-1a")}
    granted = walls.grants["team-a"]
    assert (granted.public, [str(one) for one in granted.cidrs]) == (True, ["10.20.0.0/16"])
    assert granted.namespaces == ("databases",)
