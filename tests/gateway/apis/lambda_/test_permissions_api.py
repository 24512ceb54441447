"""Resource policies by boto3: statement by statement and whole, one list with one RevisionId."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gateway import GatewayHarness

NAME = "permitted"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
S3 = {
    "FunctionName": NAME,
    "StatementId": "s3",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::bucket",
    "SourceAccount": ACCOUNT,
}


@pytest.fixture(scope="module", autouse=True)
def _function(platform: GatewayHarness) -> None:
    platform.create(NAME, "def handler(event, context):\n    return 1\n")


@pytest.fixture
def client(platform: GatewayHarness) -> Iterator[Any]:
    client = platform.client()
    yield client
    for sid in _sids(client):
        client.remove_permission(FunctionName=NAME, StatementId=sid)


def _sids(client: Any) -> list[str]:
    try:
        policy = json.loads(client.get_policy(FunctionName=NAME)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return []
    return [one["Sid"] for one in policy["Statement"]]


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    """Return the code and the text of an error."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_statement_is_returned_as_lambda_writes_it(client: Any) -> None:
    added = json.loads(client.add_permission(**S3)["Statement"])
    assert added == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
        },
    }
    policy = json.loads(client.get_policy(FunctionName=NAME)["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [added]}
    code, text = refused(client.add_permission, **S3)
    assert code == "ResourceConflictException"
    assert "The statement id (s3) provided already exists" in text
    client.remove_permission(FunctionName=NAME, StatementId="s3")
    assert refused(client.get_policy, FunctionName=NAME)[0] == "ResourceNotFoundException"


def test_an_account_is_written_by_its_root(client: Any) -> None:
    given = {"FunctionName": NAME, "Action": "lambda:*", "StatementId": "a"}
    added = client.add_permission(**given, Principal="444455556666")["Statement"]
    assert json.loads(added)["Principal"] == {"AWS": "arn:aws:iam::444455556666:root"}


def test_both_views_have_one_revision_id(client: Any) -> None:
    client.add_permission(**S3)
    revision = client.get_policy(FunctionName=NAME)["RevisionId"]
    whole = client.get_resource_policy(ResourceArn=ARN)
    assert whole["RevisionId"] == revision
    stale = dict(S3, StatementId="more", RevisionId="00000000-0000-0000-0000-000000000000")
    assert refused(client.add_permission, **stale)[0] == "PreconditionFailedException"
    client.add_permission(**dict(S3, StatementId="more", RevisionId=revision))
    removes = {"FunctionName": NAME, "StatementId": "more", "RevisionId": revision}
    assert refused(client.remove_permission, **removes)[0] == "PreconditionFailedException"
    newest = client.get_policy(FunctionName=NAME)["RevisionId"]
    put = client.put_resource_policy(ResourceArn=ARN, Policy=whole["Policy"], RevisionId=newest)
    assert put["RevisionId"] == revision
    assert _sids(client) == ["s3"]
    client.delete_resource_policy(ResourceArn=ARN, RevisionId=revision)
    assert refused(client.get_resource_policy, ResourceArn=ARN)[0] == "ResourceNotFoundException"


def test_versions_and_aliases_have_policies_of_their_own(client: Any) -> None:
    version = client.publish_version(FunctionName=NAME)["Version"]
    client.create_alias(FunctionName=NAME, Name="live", FunctionVersion=version)
    for qualifier in (version, "live"):
        added = client.add_permission(**S3, Qualifier=qualifier)["Statement"]
        assert json.loads(added)["Resource"] == f"{ARN}:{qualifier}"
        got = client.get_resource_policy(ResourceArn=f"{ARN}:{qualifier}")["Policy"]
        assert got == client.get_policy(FunctionName=NAME, Qualifier=qualifier)["Policy"]
    assert refused(client.get_policy, FunctionName=NAME)[0] == "ResourceNotFoundException"
    code, text = refused(client.add_permission, **S3, Qualifier="$LATEST")
    assert "InvalidParameterValueException" in code or "ValidationException" in code, text


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        ({"Principal": "nobody"}, "InvalidParameterValueException", "principal was invalid"),
        ({"Principal": "*", "PrincipalOrgID": "o-1234567890"}, "NotImplementedException",
         "PrincipalOrgID"),
        ({"Action": "s3:GetObject"}, "ValidationException", "pattern"),
        ({"StatementId": "with space"}, "ValidationException", "pattern"),
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", "Function not found"),
    ],
)  # fmt: skip
def test_what_is_refused(client: Any, members: dict[str, str], code: str, says: str) -> None:
    given = {key: value for key, value in S3.items() if key not in {"SourceArn", "SourceAccount"}}
    said, text = refused(client.add_permission, **(given | members))
    assert said == code
    assert says in text


def test_a_policy_is_at_most_20_kilobytes(client: Any) -> None:
    arn = "arn:aws:s3:::" + "b" * 1000
    large = dict(S3, SourceArn=arn + "b" * 300)
    for number in range(12):
        client.add_permission(**(large | {"StatementId": f"s{number}"}))
    code, text = refused(client.add_permission, **(large | {"StatementId": "last"}))
    assert code == "PolicyLengthExceededException"
    assert "is bigger than the limit (20480)" in text


def test_a_whole_policy_that_cannot_be_read_changes_nothing(client: Any) -> None:
    client.add_permission(**S3)
    odd = {"Version": "2012-10-17", "Statement": [{"Sid": "x", "NotPrincipal": "*"}]}
    code, text = refused(client.put_resource_policy, ResourceArn=ARN, Policy=json.dumps(odd))
    assert code == "InvalidParameterValueException"
    assert "NotPrincipal" in text
    assert _sids(client) == ["s3"]
