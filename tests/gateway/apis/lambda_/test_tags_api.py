"""Tags of functions, by the operations that deployment tools use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import ACCOUNT, REGION, wait_for

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

NO_MAPPING = "00000000-0000-0000-0000-000000000000"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:tagged"


@pytest.fixture(scope="module", autouse=True)
def _function(platform: GatewayHarness) -> None:
    platform.create("tagged", "def handler(event, context):\n    return 1\n", Tags={"team": "a"})


def test_tags_come_and_go(platform: GatewayHarness) -> None:
    """One that is given again is replaced, and GetFunction says them all."""
    client = platform.client()
    assert client.list_tags(Resource=ARN)["Tags"] == {"team": "a"}
    client.tag_resource(Resource=ARN, Tags={"team": "b", "cost centre": "ü/1"})
    wanted = {"team": "b", "cost centre": "ü/1"}
    assert client.list_tags(Resource=ARN)["Tags"] == wanted
    assert client.get_function(FunctionName="tagged")["Tags"] == wanted
    client.untag_resource(Resource=ARN, TagKeys=["cost centre", "none"])
    assert client.list_tags(Resource=ARN)["Tags"] == {"team": "b"}
    client.tag_resource(Resource=ARN, Tags={"team": "a"})


def test_tags_change_nothing_that_runs(platform: GatewayHarness) -> None:
    client = platform.client()
    before = client.get_function_configuration(FunctionName="tagged")
    client.tag_resource(Resource=ARN, Tags={"more": "1"})
    client.untag_resource(Resource=ARN, TagKeys=["more"])
    wait_for(client, "function_updated_v2", FunctionName="tagged")
    after = client.get_function_configuration(FunctionName="tagged")
    for member in ("CodeSha256", "CodeSize", "Version", "State"):
        assert after[member] == before[member]


@pytest.mark.parametrize(
    ("arn", "code", "said"),
    [
        (f"{ARN}:live", "InvalidParameterValueException", "aliases and versions are not supported"),
        (f"{ARN}-not", "ResourceNotFoundException", "Function not found"),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{NO_MAPPING}",
         "ResourceNotFoundException", "does not exist"),
        ("tagged", "ValidationException", "at 'resource'"),
    ],
)  # fmt: skip
def test_what_has_no_tags_is_said(platform: GatewayHarness, arn: str, code: str, said: str) -> None:
    with pytest.raises(ClientError, match=said) as refused:
        platform.client().list_tags(Resource=arn)
    assert refused.value.response["Error"]["Code"] == code


def test_too_many_are_refused_and_none_is_kept(platform: GatewayHarness) -> None:
    client = platform.client()
    many = {f"key-{n}": "v" for n in range(50)}
    with pytest.raises(ClientError, match="51 came, at most 50"):
        client.tag_resource(Resource=ARN, Tags=many)
    assert client.list_tags(Resource=ARN)["Tags"] == {"team": "a"}
