"""A function's role, assumed at an STS by a gateway: with keys, and by a ServiceAccount alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cluster import kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.cluster import Installation

ROLE = "arn:aws:iam::123456789012:role/reader"
LABEL = "pilotlight.dev/assume-roles"
SOURCE = """
import boto3, os

def handler(event, context):
    found = boto3.Session().get_credentials()
    return {
        "method": found.method,
        "temporary": bool(found.token),
        "told": sorted(name for name in os.environ if "TOKEN" in name),
    }
"""


@pytest.fixture
def roles(platform: Installation, aws: Callable[[str], Any]) -> Iterator[None]:
    """Have the account's functions get what their roles may, from moto."""
    del aws
    literals = ("accessKeyId=test", "secretAccessKey=test",
                f"AWS_ENDPOINT_URL_STS=http://{platform.aws}")  # fmt: skip
    kubectl(*("create", "secret", "generic", "aws-credentials", "-n", platform.account),
            *(f"--from-literal={one}" for one in literals))  # fmt: skip
    kubectl("label", "namespace", platform.account, f"{LABEL}=true")
    yield
    kubectl("label", "namespace", platform.account, f"{LABEL}-")
    kubectl("delete", "secret", "aws-credentials", "-n", platform.account)


@pytest.mark.usefixtures("roles")
def test_a_function_has_its_roles_credentials(platform: Installation) -> None:
    """As a container of AWS's has them; who is not given any is told why by the SDK's error."""
    platform.apply("reading", SOURCE, role=ROLE, timeout=20)
    platform.wait_ready("reading")
    found = platform.invoke("reading")
    assert (found["method"], found["temporary"]) == ("container-role", True)
    assert "AWS_SESSION_TOKEN" not in found["told"]
