"""The metadata endpoint, as Powertools reads it: who has the token is told where it runs."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest

from tests.support.agent import Agent, Reply, specialised

if TYPE_CHECKING:
    from pathlib import Path

BOOTSTRAP = """#!/bin/sh
echo "where=$AWS_LAMBDA_METADATA_API $AWS_LAMBDA_METADATA_TOKEN $AWS_LAMBDA_RUNTIME_API"
exec sleep 1000
"""
PATH = "/2026-01-15/metadata/execution-environment"


def told(agent: Agent) -> tuple[str, str, str]:
    """Return the endpoint's address and token, and the Runtime API's address."""
    event = agent.journal.wait(lambda e: e.get("line", "").startswith("where="))
    address, token, runtime_api = event["line"].removeprefix("where=").split()
    return address, token, runtime_api


def ask(address: str, token: str | None, method: str = "GET") -> Reply:
    """Ask as clients do."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request(method, PATH, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("options", "document"),
    [(("--zone", "use1-az1"), {"AvailabilityZoneID": "use1-az1"}), ((), {})],
    ids=["a zone", "no zone"],
)
def test_the_zone_is_told(
    tmp_path: Path, options: tuple[str, ...], document: dict[str, str]
) -> None:
    """At the Runtime API's address, to be kept for as long as the environment lives."""
    with Agent(tmp_path, *options) as agent:
        agent.specialise({"bootstrap": BOOTSTRAP}, runtime="provided.al2023")
        address, token, runtime_api = told(agent)
        answer = ask(address, token)
    assert address == runtime_api
    assert (answer.status, answer.json) == (200, document)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "private, max-age=43200, immutable"


def test_nobody_else_is_told(tmp_path: Path) -> None:
    """Without the token, with another one, or by another method; each environment has its own."""
    with specialised(
        tmp_path, {"bootstrap": BOOTSTRAP}, runtime="provided.al2023", environments=2
    ) as agent:
        address, token, _ = told(agent)
        lines = {e["line"] for e in agent.journal.events if e.get("line", "").startswith("where=")}
        wrong = [ask(address, one).status for one in (None, "", token[:-1], token.upper() + "x")]
        posted = ask(address, token, "POST").status
        right = ask(address, token).status
    assert wrong == [401] * 4
    assert (posted, right) == (405, 200)
    assert len({line.split()[1] for line in lines}) == len(lines)
