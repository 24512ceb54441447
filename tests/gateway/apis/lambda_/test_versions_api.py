"""Versions and aliases end to end: what was published stays, aliases say which one is meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import package, wait_for
from tests.support.noting import note_before_replacing

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

SOURCE = """
import os
def handler(event, context):
    return [
        {text!r}, os.environ["AWS_LAMBDA_FUNCTION_VERSION"], context.function_version,
        context.invoked_function_arn, os.environ.get("COLOUR"),
    ]
"""


def invoke(client: Any, name: str, qualifier: str | None = None) -> tuple[list[Any], str]:
    """Invoke; gives the answer and the version that was executed."""
    qualified = {"Qualifier": qualifier} if qualifier else {}
    answer = client.invoke(FunctionName=name, **qualified)
    return json.load(answer["Payload"]), answer["ExecutedVersion"]


def update(client: Any, name: str, text: str) -> None:
    """Give a function other code and wait until it serves."""
    code = package({"index.py": SOURCE.format(text=text)})
    client.update_function_code(FunctionName=name, ZipFile=code)
    wait_for(client, "function_updated_v2", FunctionName=name)


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Return an error's code and message."""
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_version_stays_what_it_was(platform: GatewayHarness) -> None:
    """Code, variables and its own number, whatever becomes of the function."""
    platform.create(
        "staying", SOURCE.format(text="one"), Environment={"Variables": {"COLOUR": "red"}}
    )
    client = platform.client()
    first = client.publish_version(FunctionName="staying", Description="the first")
    assert (first["Version"], first["Description"], first["State"]) == ("1", "the first", "Active")
    assert first["FunctionArn"].endswith(":function:staying:1")
    client.update_function_configuration(
        FunctionName="staying", Environment={"Variables": {"COLOUR": "blue"}}
    )
    wait_for(client, "function_updated_v2", FunctionName="staying")
    update(client, "staying", "two")
    arn = first["FunctionArn"]
    assert invoke(client, "staying", "1") == (["one", "1", "1", arn, "red"], "1")
    assert invoke(client, arn) == (["one", "1", "1", arn, "red"], "1")
    latest = arn.removesuffix(":1")
    assert invoke(client, "staying") == (
        ["two", "$LATEST", "$LATEST", latest, "blue"],
        "$LATEST",
    )
    described = client.get_function_configuration(FunctionName="staying", Qualifier="1")
    assert described["Environment"]["Variables"] == {"COLOUR": "red"}
    assert described["CodeSha256"] == first["CodeSha256"]
    assert client.get_function(FunctionName="staying:1")["Configuration"]["Version"] == "1"


def test_what_is_not_here_is_not_passed_over(platform: GatewayHarness) -> None:
    """Where versions would be published to, and replicas of Lambda@Edge."""
    client = platform.client()
    with pytest.raises(ClientError) as error:
        client.publish_version(FunctionName="any", PublishTo="LATEST_PUBLISHED")
    assert refusal(error)[0] == "NotImplementedException"
    with pytest.raises(ClientError) as error:
        client.list_functions(MasterRegion="us-east-1", FunctionVersion="ALL")
    assert "MasterRegion is not supported" in refusal(error)[1]


def test_publishing_what_did_not_change_gives_the_last_version(platform: GatewayHarness) -> None:
    """And numbers are never given again."""
    platform.create("unchanged", SOURCE.format(text="one"))
    client = platform.client()
    assert client.publish_version(FunctionName="unchanged")["Version"] == "1"
    assert client.publish_version(FunctionName="unchanged")["Version"] == "1"
    update(client, "unchanged", "two")
    assert client.publish_version(FunctionName="unchanged")["Version"] == "2"
    client.delete_function(FunctionName="unchanged", Qualifier="2")
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="unchanged", Qualifier="2")
    assert refusal(error)[0] == "ResourceNotFoundException"
    update(client, "unchanged", "three")
    assert client.publish_version(FunctionName="unchanged")["Version"] == "3"
    listed = client.list_versions_by_function(FunctionName="unchanged")["Versions"]
    assert [one["Version"] for one in listed] == ["$LATEST", "1", "3"]
    page = client.list_versions_by_function(FunctionName="unchanged", MaxItems=2)
    rest = client.list_versions_by_function(FunctionName="unchanged", Marker=page["NextMarker"])
    assert [one["Version"] for one in page["Versions"] + rest["Versions"]] == ["$LATEST", "1", "3"]
    assert len(client.list_functions(FunctionVersion="ALL")["Functions"]) >= 3


def test_publish_of_create_and_update(platform: GatewayHarness) -> None:
    """They answer the version."""
    created = platform.create("at-once", SOURCE.format(text="one"), Publish=True)
    assert created["Version"] == "1"
    client = platform.client()
    code = package({"index.py": SOURCE.format(text="two")})
    updated = client.update_function_code(FunctionName="at-once", ZipFile=code, Publish=True)
    assert updated["Version"] == "2"
    assert invoke(client, "at-once", "2")[0][0] == "two"


def test_publishing_other_than_expected(platform: GatewayHarness) -> None:
    """A wrong hash or RevisionId publishes nothing."""
    platform.create("expected", SOURCE.format(text="one"))
    client = platform.client()
    with pytest.raises(ClientError) as error:
        client.publish_version(FunctionName="expected", CodeSha256="c" * 44)
    assert refusal(error)[0] == "InvalidParameterValueException"
    with pytest.raises(ClientError) as error:
        client.publish_version(FunctionName="expected", RevisionId="other")
    assert refusal(error)[0] == "PreconditionFailedException"
    assert len(client.list_versions_by_function(FunctionName="expected")["Versions"]) == 1


def test_an_alias_is_pointed_elsewhere(platform: GatewayHarness) -> None:
    """Invocations follow; the ARN they see is the alias'."""
    platform.create("pointed", SOURCE.format(text="one"))
    client = platform.client()
    client.publish_version(FunctionName="pointed")
    alias = client.create_alias(FunctionName="pointed", Name="live", FunctionVersion="1")
    assert alias["AliasArn"].endswith(":function:pointed:live")
    told, executed = invoke(client, "pointed", "live")
    assert (told[0], told[1], executed) == ("one", "1", "1")
    assert told[3] == alias["AliasArn"]
    update(client, "pointed", "two")
    client.publish_version(FunctionName="pointed")
    moved = client.update_alias(FunctionName="pointed", Name="live", FunctionVersion="2")
    assert moved["FunctionVersion"] == "2"
    assert moved["RevisionId"] != alias["RevisionId"]
    assert invoke(client, "pointed", "live")[1] == "2"
    with pytest.raises(ClientError) as error:
        client.update_alias(
            FunctionName="pointed", Name="live", FunctionVersion="1", RevisionId=alias["RevisionId"]
        )
    assert refusal(error)[0] == "PreconditionFailedException"
    described = client.get_function(FunctionName="pointed", Qualifier="live")["Configuration"]
    assert (described["Version"], described["FunctionArn"]) == ("2", alias["AliasArn"])
    with pytest.raises(ClientError) as error:
        client.delete_function(FunctionName="pointed", Qualifier="2")
    assert refusal(error) == (
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
    )


def test_weights_share_invocations(platform: GatewayHarness) -> None:
    """All, none, and cleared by an empty map."""
    platform.create("shared", SOURCE.format(text="one"))
    client = platform.client()
    client.publish_version(FunctionName="shared")
    update(client, "shared", "two")
    client.publish_version(FunctionName="shared")
    routing = {"AdditionalVersionWeights": {"2": 1.0}}
    alias = client.create_alias(
        FunctionName="shared", Name="canary", FunctionVersion="1", RoutingConfig=routing
    )
    assert alias["RoutingConfig"] == routing
    assert {invoke(client, "shared", "canary")[1] for _ in range(3)} == {"2"}
    routing = {"AdditionalVersionWeights": {"2": 0.0}}
    client.update_alias(FunctionName="shared", Name="canary", RoutingConfig=routing)
    assert {invoke(client, "shared", "canary")[1] for _ in range(3)} == {"1"}
    cleared = client.update_alias(FunctionName="shared", Name="canary", RoutingConfig={
        "AdditionalVersionWeights": {}
    })  # fmt: skip
    assert "RoutingConfig" not in cleared


def test_an_alias_that_the_platform_notes_something_about_can_be_changed(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no conflict, for nothing that anyone wants of it has changed."""
    platform.create("noted", SOURCE.format(text="one"))
    client = platform.client()
    client.publish_version(FunctionName="noted")
    client.create_alias(FunctionName="noted", Name="live", FunctionVersion="1")
    notes = note_before_replacing(platform, monkeypatch)
    changed = client.update_alias(FunctionName="noted", Name="live", Description="new")
    assert (notes, changed["Description"]) == (["noted"], "new")


def test_a_read_of_a_weighted_alias_sees_its_own_version(platform: GatewayHarness) -> None:
    """Weights are drawn for invocations only."""
    platform.create("weighed", SOURCE.format(text="one"), Publish=True)
    client = platform.client()
    update(client, "weighed", "two")
    client.publish_version(FunctionName="weighed")
    routing = {"AdditionalVersionWeights": {"2": 1.0}}
    client.create_alias(
        FunctionName="weighed", Name="live", FunctionVersion="1", RoutingConfig=routing
    )
    whole = client.get_function(FunctionName="weighed", Qualifier="live")["Configuration"]
    alone = client.get_function_configuration(FunctionName="weighed", Qualifier="live")
    assert (whole["Version"], alone["Version"]) == ("1", "1")
    assert invoke(client, "weighed", "live")[1] == "2"


def test_an_alias_never_weighs_its_own_version(platform: GatewayHarness) -> None:
    """Neither at its creation nor later, in Lambda's words."""
    platform.create("itself", SOURCE.format(text="one"), Publish=True)
    client = platform.client()
    own = {"AdditionalVersionWeights": {"1": 0.1}}
    client.create_alias(FunctionName="itself", Name="live", FunctionVersion="1")
    own_version = (
        "Invalid function version 1. Function version 1 is already included in routing "
        "configuration."
    )
    said = (
        "InvalidParameterValueException",
        own_version,
    )
    with pytest.raises(ClientError) as error:
        client.create_alias(
            FunctionName="itself", Name="next", FunctionVersion="1", RoutingConfig=own
        )
    assert refusal(error) == said
    with pytest.raises(ClientError) as error:
        client.update_alias(FunctionName="itself", Name="live", RoutingConfig=own)
    assert refusal(error) == said


def test_aliases_are_listed_and_deleted(platform: GatewayHarness) -> None:
    """By name, of one version if one is asked for; deleting twice is deleting."""
    platform.create("listed", SOURCE.format(text="one"), Publish=True)
    client = platform.client()
    for name, version in (("b", "1"), ("a", "$LATEST")):
        client.create_alias(FunctionName="listed", Name=name, FunctionVersion=version)
    every = client.list_aliases(FunctionName="listed")["Aliases"]
    assert [one["Name"] for one in every] == ["a", "b"]
    of_one = client.list_aliases(FunctionName="listed", FunctionVersion="1")["Aliases"]
    assert [one["Name"] for one in of_one] == ["b"]
    assert invoke(client, "listed", "a")[1] == "$LATEST"
    for _ in range(2):
        client.delete_alias(FunctionName="listed", Name="b")
    with pytest.raises(ClientError) as error:
        client.get_alias(FunctionName="listed", Name="b")
    assert refusal(error)[0] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="listed", Qualifier="never")
    assert refusal(error)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Name": "12"}, "ValidationException"),
        ({"Name": "fine", "FunctionVersion": "9"}, "ResourceNotFoundException"),
        ({"Name": "taken"}, "ResourceConflictException"),
        (
            {
                "Name": "fine",
                "FunctionVersion": "$LATEST",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}},
            },
            "InvalidParameterValueException",
        ),
        (
            {"Name": "fine", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            "ValidationException",
        ),
        (
            {
                "Name": "fine",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5, "2": 0.1}},
            },
            "InvalidParameterValueException",
        ),
    ],
)
def test_aliases_that_cannot_be(
    platform: GatewayHarness, members: dict[str, Any], code: str
) -> None:
    """Each is refused with the error that Lambda gives it."""
    client = platform.client()
    try:
        client.get_function(FunctionName="refusing")
    except ClientError:
        platform.create("refusing", SOURCE.format(text="one"), Publish=True)
        client.create_alias(FunctionName="refusing", Name="taken", FunctionVersion="1")
    with pytest.raises(ClientError) as error:
        client.create_alias(**{"FunctionName": "refusing", "FunctionVersion": "1"} | members)
    assert refusal(error)[0] == code


def test_a_deleted_function_takes_its_versions_along(platform: GatewayHarness) -> None:
    """And its aliases."""
    platform.create("leaving", SOURCE.format(text="one"), Publish=True)
    client = platform.client()
    client.create_alias(FunctionName="leaving", Name="live", FunctionVersion="1")
    client.delete_function(FunctionName="leaving")
    platform.create("leaving", SOURCE.format(text="two"))
    assert len(client.list_versions_by_function(FunctionName="leaving")["Versions"]) == 1
    assert client.list_aliases(FunctionName="leaving")["Aliases"] == []
    for qualifier in ("1", "live"):
        with pytest.raises(ClientError) as error:
            client.invoke(FunctionName="leaving", Qualifier=qualifier)
        assert refusal(error)[0] == "ResourceNotFoundException"
