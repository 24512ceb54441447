"""What everyone uses, unchanged: the clients and the tool that tell their story at every build.

`make clients` has all the others, and writes docs/clients.md and docs/coverage.md. Without a
network a client that is not there yet is skipped, unless this runs in CI.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import pytest

from pilotlight_gateway.apis.lambda_.table import LAMBDA

from .environments import CLIENTS, Client, UnavailableError
from .pages import COVERAGE, counted, sign
from .platform import Platform, running_platform
from .story import Outcome
from .tools import CHALICE, ToolOutcome, use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERYWHERE = [client for client in CLIENTS if client.everywhere]
BOTO3 = EVERYWHERE[0]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all clients; each has an account of its own."""
    with running_platform(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest.fixture(scope="module")
def chalice(platform: Platform) -> Iterator[Future[ToolOutcome]]:
    """What comes of Chalice's use; it sleeps most of its time, so others go on meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(use, CHALICE, platform)


@pytest.fixture(scope="module")
def hear(platform: Platform, chalice: Future[ToolOutcome]) -> Callable[[Client], list[Outcome]]:
    """Have a client tell the story, once."""
    del chalice  # which has begun

    @cache
    def heard(client: Client) -> list[Outcome]:
        try:
            return platform.hear(client)
        except UnavailableError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"{client.name} cannot be had: {error}")

    return heard


@pytest.mark.parametrize("client", EVERYWHERE, ids=lambda client: client.name)
def test_the_story(hear: Callable[[Client], list[Outcome]], client: Client) -> None:
    """Every step of it, but those that the client itself has no call for."""
    assert [one for one in hear(client) if one.failed] == []


def test_an_operation_counts_once_it_was_seen(hear: Callable[[Client], list[Outcome]]) -> None:
    """The story has every operation that there is; the page counts what boto3 saw, no more."""
    seen = counted(hear(BOTO3))
    assert seen == LAMBDA.keys()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", COVERAGE.read_text(), re.MULTILINE)
    assert {operation for operation, clients in rows if int(clients)} == seen, "run: make clients"


def test_what_a_failed_step_called_does_not_count() -> None:
    """Nor what a client lacks; the page says so beside the step."""
    said = {"create": "", "invoke": "it was not so", "stream": "no such call"}
    outcomes = [
        Outcome(step, why, lacks=step == "stream", operations=frozenset({step}))
        for step, why in said.items()
    ]
    assert counted(outcomes) == {"create"}
    assert [sign(one) for one in outcomes] == ["yes", "NO", "-"]


def test_chalice_deploys_and_deploys_again(chalice: Future[ToolOutcome]) -> None:
    """Invoked after each, its log read, and deleted."""
    outcome = chalice.result()
    if outcome.result.startswith("not had") and not os.environ.get("CI"):
        pytest.skip(outcome.result)
    assert outcome.result == "yes"
