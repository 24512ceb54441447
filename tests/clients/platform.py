"""The platform that clients tell the story to: local mode beside a moto server that has queues."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import boto3

from tests.support.dev_process import DevProcess
from tests.support.moto import running_moto

from .driver import Driver
from .environments import ROOT
from .steps import STEPS
from .story import Story, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .environments import Client
    from .story import Outcome

__all__ = ["Platform", "running_platform", "variables_of"]

STRANGER = "999999999999"


def variables_of(endpoint: str, account: str, home: Path) -> dict[str, str]:
    """Return the environment of a client: where it finds a platform and its key, and no more."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "HOME": str(home),  # where some keep what they found last time
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


class Platform:
    """A running platform; each client has an account of its own."""

    def __init__(self, endpoint: str, queues: str, folder: Path) -> None:
        self.endpoint = endpoint
        self._queues = queues
        self._folder = folder
        self._accounts = count(1)

    def variables(self, account: str) -> dict[str, str]:
        """Return the environment in which a client finds the platform, and nothing else."""
        return variables_of(self.endpoint, account, self._folder)

    def account(self) -> str:
        """Return an account that nobody else has."""
        return f"{next(self._accounts):012}"

    def hear(self, client: Client) -> list[Outcome]:
        """Have a client tell the story; raises UnavailableError."""
        command, account = client.command(), self.account()
        sqs = boto3.client(
            "sqs", endpoint_url=self._queues, region_name="us-east-1",
            aws_access_key_id=account, aws_secret_access_key="test",
        )  # fmt: skip
        queue = sqs.create_queue(QueueName=f"story-{account}")["QueueUrl"]
        variables, folder = self.variables(account), self._folder / account
        folder.mkdir()
        with (
            Driver(command, ROOT, variables) as driver,
            Driver(command, ROOT, variables) as other,
        ):
            story = Story(
                driver, other, account, STRANGER, self.endpoint,
                queue=f"arn:aws:sqs:us-east-1:{account}:story-{account}",
                send=lambda text: sqs.send_message(QueueUrl=queue, MessageBody=text),
                folder=folder,
            )  # fmt: skip
            return tell(story, STEPS)


@contextmanager
def running_platform(folder: Path) -> Iterator[Platform]:
    """Run one, with its state in a folder, for as long as the block lasts."""
    with running_moto() as moto:
        state, shell = folder / "state", {"AWS_ENDPOINT_URL_SQS": moto.url}
        with DevProcess(state=state, variables=shell) as running:
            yield Platform(running.endpoint, moto.url, folder)
