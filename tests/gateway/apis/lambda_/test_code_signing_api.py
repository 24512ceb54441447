"""Code signing configurations: made, given to functions, and what Enforce refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import ACCOUNT, REGION, package, wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

PUBLISHERS = {
    "SigningProfileVersionArns": [
        f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/own/abcdefghij"
    ]
}
CODE = package({"index.py": "def handler(event, context):\n    return 1\n"})
NOWHERE = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-{'0' * 17}"


def refused(call: Any, **arguments: Any) -> str:
    """Return the code of an error."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def create(platform: GatewayHarness, policy: str = "Warn") -> str:
    """Make a configuration; gives its ARN."""
    made = platform.client().create_code_signing_config(
        Description="own",
        AllowedPublishers=PUBLISHERS,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
    )["CodeSigningConfig"]
    assert made["AllowedPublishers"] == PUBLISHERS
    arn: str = made["CodeSigningConfigArn"]
    assert arn.endswith(made["CodeSigningConfigId"])
    return arn


def test_a_function_has_none_until_it_gets_one(platform: GatewayHarness) -> None:
    """As Terraform reads of each function; and only then it is used."""
    client, arn = platform.client(), create(platform)
    platform.create("signed", "def handler(event, context):\n    return 1\n")
    found = client.get_function_code_signing_config(FunctionName="signed")
    assert found.keys() - {"ResponseMetadata"} == {"FunctionName"}
    client.put_function_code_signing_config(FunctionName="signed", CodeSigningConfigArn=arn)
    found = client.get_function_code_signing_config(FunctionName="signed")
    assert (found["FunctionName"], found["CodeSigningConfigArn"]) == ("signed", arn)
    users = client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert users == [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:signed"]
    deletes = client.delete_code_signing_config
    assert refused(deletes, CodeSigningConfigArn=arn) == "ResourceConflictException"
    client.delete_function_code_signing_config(FunctionName="signed")
    deletes(CodeSigningConfigArn=arn)
    assert refused(client.get_code_signing_config, CodeSigningConfigArn=arn) == (
        "ResourceNotFoundException"
    )


def test_code_is_refused_where_signatures_are_enforced(platform: GatewayHarness) -> None:
    """There are none here, so nothing new gets through; with Warn everything does."""
    client, arn = platform.client(), create(platform, "Enforce")
    new = {
        "FunctionName": "enforced",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/test",
        "Code": {"ZipFile": CODE},
        "CodeSigningConfigArn": arn,
    }
    assert refused(client.create_function, **new) == "CodeVerificationFailedException"
    policies = {"UntrustedArtifactOnDeployment": "Warn"}
    changed = client.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies=policies
    )["CodeSigningConfig"]
    assert changed["CodeSigningPolicies"] == policies
    assert changed["Description"] == "own"
    client.create_function(**new)
    wait_for(client, "function_active_v2", FunctionName="enforced")
    client.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )
    update = {"FunctionName": "enforced", "ZipFile": CODE}
    assert refused(client.update_function_code, **update) == "CodeVerificationFailedException"


def test_configurations_are_listed_by_pages(platform: GatewayHarness) -> None:
    made = {create(platform) for _ in range(3)}
    pages = (
        platform.client()
        .get_paginator("list_code_signing_configs")
        .paginate(PaginationConfig={"PageSize": 2})
    )
    listed = [one["CodeSigningConfigArn"] for page in pages for one in page["CodeSigningConfigs"]]
    assert made <= set(listed)
    assert len(listed) == len(set(listed))


def test_what_is_not_there_is_said_as_lambda_does(platform: GatewayHarness) -> None:
    client = platform.client()
    platform.create("unsigned", "def handler(event, context):\n    return 1\n")
    put = client.put_function_code_signing_config
    assert refused(put, FunctionName="unsigned", CodeSigningConfigArn=NOWHERE) == (
        "CodeSigningConfigNotFoundException"
    )
    assert refused(put, FunctionName="nobody", CodeSigningConfigArn=NOWHERE) == (
        "ResourceNotFoundException"
    )
    assert refused(client.update_code_signing_config, CodeSigningConfigArn=NOWHERE) == (
        "ResourceNotFoundException"
    )


def test_its_tags_come_and_go(platform: GatewayHarness) -> None:
    """Those that it was made with are not lost."""
    client = platform.client()
    arn = client.create_code_signing_config(AllowedPublishers=PUBLISHERS, Tags={"a": "b"})[
        "CodeSigningConfig"
    ]["CodeSigningConfigArn"]
    client.tag_resource(Resource=arn, Tags={"c": "d"})
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "b", "c": "d"}
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == {"c": "d"}
    assert refused(client.list_tags, Resource=NOWHERE) == "ResourceNotFoundException"
    foreign = platform.client("222222222222")
    assert refused(foreign.list_tags, Resource=arn) == "ResourceNotFoundException"
