"""Who a caller is, as tools ask before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import ACCOUNT, REGION, GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    harness = GatewayHarness(tmp_path_factory.mktemp("pods"))
    yield boto3.client(
        "sts",
        endpoint_url=harness.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    harness.close()


def test_a_caller_learns_who_it_is(sts: Any) -> None:
    identity = sts.get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:user/")
    assert identity["UserId"]


def test_other_actions_are_refused_by_name(sts: Any) -> None:
    with pytest.raises(ClientError, match=r"'AssumeRole' of STS is not supported"):
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/any", RoleSessionName="session")
