"""What everyone uses, unchanged, on a cluster: those steps of the story that can be told there."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.clients.driver import Driver
from tests.clients.environments import CLIENTS, ROOT, Client, UnavailableError
from tests.clients.platform import variables_of
from tests.clients.steps import ON_A_CLUSTER
from tests.clients.story import Story, tell
from tests.support.cluster import kubectl, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster import Installation

ON_CLUSTERS = [client for client in CLIENTS if client.everywhere]


@pytest.mark.parametrize("client", ON_CLUSTERS, ids=lambda client: client.name)
def test_the_story(platform: Installation, client: Client, tmp_path: Path) -> None:
    """Told by a key of the account that is called as the account is, as drivers have it."""
    account = _make_key(platform)
    try:
        command = client.command()
    except UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{client.name} cannot be had: {error}")
    variables = variables_of(platform.endpoint, account, tmp_path)
    with Driver(command, ROOT, variables) as driver, Driver(command, ROOT, variables) as other:
        story = Story(
            driver, other, account, "", platform.endpoint,
            queue="", send=_no_queue, folder=tmp_path,
        )  # fmt: skip
        assert [one for one in tell(story, ON_A_CLUSTER) if one.failed] == []


def _no_queue(text: str) -> None:
    raise AssertionError(f"nothing has a queue for {text}")


def _make_key(platform: Installation) -> str:
    path = r"jsonpath={.metadata.labels.pilotlight\.dev/account-id}"
    account = kubectl("get", "namespace", platform.account, "-o", path)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key-of-clients", "labels": {"pilotlight.dev/access-key": "true"}},
        "stringData": {
            "accessKeyId": account,
            "secretAccessKey": "test",
            "namespace": platform.account,
        },
    }
    kubectl("apply", "-n", platform.namespace, "-f", "-", stdin=json.dumps(secret))
    wait_until(partial(_is_known, platform, account), "the key is known")
    return account


def _is_known(platform: Installation, account: str) -> bool:
    client = platform.client("sts", aws_access_key_id=account, aws_secret_access_key="test")
    try:
        return bool(client.get_caller_identity()["Account"] == account)
    except client.exceptions.ClientError:
        return False
