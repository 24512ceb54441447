"""What everyone uses, unchanged, on a cluster: the steps of the story that can be told there.

`make clients` tells them where a KUBECONFIG is given, to a release and an account of each client's
own. It takes minutes, so it is outside of the suite, whose end-to-end tests are boto3's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.support.cluster import installed, wait_until

from .driver import Driver
from .environments import ROOT
from .platform import variables_of
from .steps import ON_A_CLUSTER
from .story import Story, tell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster import Installation

    from .environments import Client
    from .story import Outcome

__all__ = ["hear_on_a_cluster"]


def hear_on_a_cluster(client: Client, folder: Path) -> list[Outcome]:
    """Have a client tell the story to a fresh release; raises UnavailableError."""
    command = client.command()
    with installed() as platform:
        account = _make_key(platform)
        variables = variables_of(platform.endpoint, account, folder)
        with Driver(command, ROOT, variables) as driver, Driver(command, ROOT, variables) as other:
            story = Story(
                driver, other, account, "", platform.endpoint,
                queue="", send=_no_queue, folder=folder,
            )  # fmt: skip
            return tell(story, ON_A_CLUSTER)


def _no_queue(text: str) -> None:
    raise AssertionError(f"nothing has a queue for {text}")


def _make_key(platform: Installation) -> str:
    """Make a key of the account that is called as the account is, as drivers have it."""
    account = platform.account_id()
    platform.make_key("key-of-clients", account, "test")
    wait_until(partial(_is_known, platform, account), "the key is known")
    return account


def _is_known(platform: Installation, account: str) -> bool:
    client = platform.client("sts", aws_access_key_id=account, aws_secret_access_key="test")
    try:
        return bool(client.get_caller_identity()["Account"] == account)
    except client.exceptions.ClientError:
        return False
