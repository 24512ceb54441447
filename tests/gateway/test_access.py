"""What operations would do, as policies are asked: each names its resource, by one form alone."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight_gateway.access import EVERYTHING, Access
from pilotlight_gateway.apis.lambda_.access import access_of as lambda_access
from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.lambda_.table import LAMBDA
from pilotlight_gateway.apis.logs.access import access_of as logs_access
from pilotlight_gateway.apis.logs.service import load_model as load_logs_model
from pilotlight_gateway.apis.logs.table import LOGS
from pilotlight_gateway.apis.platform.access import access_of as platform_access
from pilotlight_gateway.apis.platform.service import PLATFORM
from pilotlight_gateway.auth.caller import Caller
from pilotlight_gateway.exchange import Call, Query

if TYPE_CHECKING:
    from pilotlight_gateway.services import Services

REGION, ACCOUNT = "us-east-1", "111122223333"
OWN = f"{REGION}:{ACCOUNT}"
CALLER = Caller(ACCOUNT, "default", "AKIDALICE")
SERVICES = cast(
    "Services",
    SimpleNamespace(
        settings=SimpleNamespace(region=REGION), cache=SimpleNamespace(by=lambda *_: [])
    ),
)
ABOUT_ALL = {
    "CreateCodeSigningConfig", "CreateEventSourceMapping", "GetAccountSettings",
    "ListCodeSigningConfigs", "ListEventSourceMappings", "ListFunctions", "ListLayers",
}  # fmt: skip
"""Operations of Lambda that are about no resource, for which a statement must say *."""
NAMES = {
    "FunctionName": "hello", "LayerName": "tools", "VersionNumber": 3, "UUID": "u",
    "CodeSigningConfigArn": f"arn:aws:lambda:{OWN}:code-signing-config:csc-1",
    "Resource": f"arn:aws:lambda:{OWN}:function:hello",
    "ResourceArn": f"arn%3Aaws%3Alambda%3A{REGION}%3A{ACCOUNT}%3Afunction%3Ahello",
    "Arn": f"arn:aws-cn:lambda:{OWN}:layer:tools:3",
}  # fmt: skip


def call(operation: str, **given: Any) -> Call:
    """Make a call with an input, and with parameters of its path where it has such."""
    in_body = {"CreateFunction", "CreateEventSourceMapping"}
    in_path = {"FunctionName"} & given.keys() if operation not in in_body else set()
    parameters = {name: str(given[name]) for name in in_path}
    return Call(operation, CALLER, "id", {}, parameters, Query(), b"", "http://x", given)


@pytest.mark.parametrize("operation", LAMBDA)
def test_each_operation_of_lambda_names_its_resource(operation: str) -> None:
    """Also one that comes later: who forgets it would have it asked for with *."""
    shape = load_model().shapes.get(load_model().operations[operation].input or "", {})
    members = {name: NAMES[name] for name in NAMES if name in shape.get("required", ())}
    (access,) = lambda_access(SERVICES, call(operation, **members))
    assert access.action.startswith("lambda:")
    assert (access.names == EVERYTHING) == (operation in ABOUT_ALL)
    assert all(name.startswith("arn:aws:lambda:") for name in access.names if name != "*")
    named = [one for one in members if "Function" in one or members[one] == NAMES["Resource"]]
    about = (bool(named) and operation not in ABOUT_ALL) or "ResourceArn" in members
    assert (access.function is not None) == about


@pytest.mark.parametrize("operation", LOGS)
def test_each_operation_of_logs_names_its_group(operation: str) -> None:
    """By name or ARN, with what may stand for its streams or without."""
    shapes = load_logs_model()
    members = shapes["shapes"][shapes["operations"][operation]]["members"]
    group = f"arn:aws:logs:{OWN}:log-group:/g"
    for member, values in {
        "logGroupName": ["/g"], "logGroupIdentifier": ["/g", group, f"{group}:*"],
        "resourceArn": [group],
    }.items():  # fmt: skip
        for value in values if member in members else ():
            (access,) = logs_access(SERVICES, call(operation, **{member: value}))
            assert access == Access(f"logs:{operation}", (f"{group}:log-stream:", group))


def test_several_groups_are_all_asked_for() -> None:
    several = call("StartLiveTail", logGroupIdentifiers=["/a", "/b"])
    assert [one.names[1].rpartition(":")[2] for one in logs_access(SERVICES, several)] == [
        "/a", "/b",
    ]  # fmt: skip
    stream = call("GetLogEvents", logGroupName="/a", logStreamName="s")
    assert logs_access(SERVICES, stream)[0].names[0].endswith(":log-group:/a:log-stream:s")


@pytest.mark.parametrize(
    ("operation", "parameters", "query", "resource"),
    [
        ("GetFunctionResource", {"name": "f"}, {}, "functions/f"),
        ("DeleteFunctionResource", {"name": "f"}, {}, "functions/f"),
        ("GetLogs", {}, {"function": "f"}, "functions/f"),
        ("ListDeadLetters", {}, {"function": "f"}, "functions/f"),
        ("PurgeDeadLetters", {}, {"function": "f", "id": "i"}, "functions/f"),
        ("RedriveDeadLetters", {}, {"function": "f"}, "functions/f"),
        ("GetDeadLetter", {"id": "i"}, {"function": "f"}, "dead-letters/i"),
        ("PutArtifact", {"sha256": "a"}, {}, "artifacts/a"),
        ("ListResources", {"plural": "routes"}, {"function": "f"}, "routes/*"),
        ("GetResource", {"plural": "routes", "name": "r"}, {"function": "f"}, "routes/r"),
        ("DeleteResource", {"plural": "schedules", "name": "s"}, {}, "schedules/s"),
        ("ListShards", {"name": "m"}, {}, "eventsourcemappings/m"),
        ("GetBacklog", {"name": "m"}, {}, "eventsourcemappings/m"),
        ("ResetMapping", {"name": "m"}, {}, "eventsourcemappings/m"),
    ],
)
def test_the_platforms_own_endpoints_are_actions(
    operation: str, parameters: dict[str, str], query: dict[str, str], resource: str
) -> None:
    """A parameter that an endpoint does not read names nothing."""
    made = Call(operation, CALLER, "id", {}, parameters, Query(query), b"", "http://x")
    (access,) = platform_access(SERVICES, made)
    assert access == Access(f"pilotlight:{operation}", (f"arn:aws:pilotlight:{OWN}:{resource}",))


def test_no_endpoint_of_the_platform_is_left_out() -> None:
    """Each that asks for credentials stands in the table above, or is `apply`."""
    (_, table), *_ = [
        mark.args
        for mark in test_the_platforms_own_endpoints_are_actions.pytestmark  # type: ignore[attr-defined]
    ]
    asked = {route.operation for route in PLATFORM._routes if not route.anonymous}
    assert asked == {row[0] for row in table} | {"Apply"}


@pytest.mark.parametrize(
    ("document", "resource"),
    [
        ({"kind": "Function", "metadata": {"name": "f"}, "spec": {}}, "functions/f"),
        ({"kind": "Function", "metadata": {"name": "f"}, "spec": {"functionName": "G"}},
         "functions/G"),
        ({"kind": "Route", "metadata": {"name": "r"}, "spec": {"functionName": "G"}}, "routes/r"),
        ({"kind": "Odd", "metadata": {"name": "r"}}, "*"),
        ({"kind": "Function"}, "*"),
        ({"kind": ["x"], "metadata": {"name": "r"}}, "*"),
        ([], "*"),
    ],
)  # fmt: skip
def test_a_manifest_is_what_it_names(document: Any, resource: str) -> None:
    body = json.dumps(document).encode()
    made = Call("Apply", CALLER, "id", {}, {}, Query(), body, "http://x")
    assert platform_access(SERVICES, made)[0].names == (f"arn:aws:pilotlight:{OWN}:{resource}",)


def test_a_qualifier_counts_where_it_is_acted_on() -> None:
    """Elsewhere it is not what a policy is asked about: the whole function is."""
    arn = f"arn:aws:lambda:{OWN}:function:hello"
    for operation, name in (
        ("Invoke", f"{arn}:live"), ("GetFunction", f"{arn}:live"), ("AddPermission", f"{arn}:live"),
        ("UpdateAlias", arn), ("ListVersionsByFunction", arn), ("CreateFunction", arn),
    ):  # fmt: skip
        (access,) = lambda_access(SERVICES, call(operation, FunctionName="hello:live"))
        assert access.names == (name,)
        assert access.function is not None
        assert access.function.arn == name
    (latest,) = lambda_access(SERVICES, call("Invoke", FunctionName="hello:$LATEST"))
    assert latest.names == (f"{arn}:$LATEST", arn)
