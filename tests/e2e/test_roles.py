"""A function's role, assumed at an STS by a gateway: by a ServiceAccount alone, and with keys."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cluster import kubectl, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.cluster import Installation

ROLE = "arn:aws:iam::123456789012:role/"
LABEL = "pilotlight.dev/assume-roles"
SECRET = "aws-credentials"
SOURCE = """
import boto3, os
from botocore.exceptions import CredentialRetrievalError

def handler(event, context):
    try:
        found = boto3.Session().get_credentials()
    except CredentialRetrievalError as error:
        return {"refused": str(error)}
    return {
        "method": found.method,
        "temporary": bool(found.token),
        "told": sorted(name for name in os.environ if "TOKEN" in name),
    }
"""


@pytest.fixture
def roles(platform: Installation, aws: Callable[[str], Any]) -> Iterator[None]:
    """Have the account's functions get what their roles may, from moto, so far without any keys."""
    del aws
    kubectl(*("create", "secret", "generic", SECRET, "-n", platform.account),
            f"--from-literal=AWS_ENDPOINT_URL_STS=http://{platform.aws}")  # fmt: skip
    kubectl("label", "namespace", platform.account, f"{LABEL}=true")
    yield
    kubectl("label", "namespace", platform.account, f"{LABEL}-")
    kubectl("delete", "secret", SECRET, "-n", platform.account)


@pytest.mark.usefixtures("roles")
def test_a_function_has_its_roles_credentials(platform: Installation) -> None:
    """As a container of AWS's has them; who is not given any is told why by the SDK's error."""
    for name in ("reading", "writing"):
        platform.apply(name, SOURCE, role=f"{ROLE}{name}", timeout=20)
        platform.wait_ready(name)
    for name in ("reading", "writing"):
        assert SECRET in platform.invoke(name)["refused"]

    kubectl("create", "serviceaccount", "reading", "-n", platform.account)
    kubectl(
        "label", "serviceaccount", "reading", "-n", platform.account, "pilotlight.dev/role=true"
    )
    _wait_for_credentials(platform, "reading")

    keys = {name: base64.b64encode(b"test").decode() for name in ("accessKeyId", "secretAccessKey")}
    kubectl("patch", "secret", SECRET, "-n", platform.account, "-p", json.dumps({"data": keys}))
    _wait_for_credentials(platform, "writing")


def _wait_for_credentials(platform: Installation, function: str) -> None:
    """Wait until what was refused a moment ago is asked for anew."""
    wait_until(lambda: "method" in platform.invoke(function), f"{function} has its role", 30)
    found = platform.invoke(function)
    assert (found["method"], found["temporary"]) == ("container-role", True)
    assert "AWS_SESSION_TOKEN" not in found["told"]
