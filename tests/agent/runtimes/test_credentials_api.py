"""Credentials of a role, as AWS's SDKs ask a container for them: the platform is asked."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.support.agent import Agent, Reply, specialised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOOTSTRAP = """#!/bin/sh
echo "where=$AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN"
echo "keys=$AWS_ACCESS_KEY_ID,$PILOTLIGHT_ACCESS_KEY_ID,$AWS_CONFIG_FILE"
exec sleep 1000
"""


class Gateway:
    """What stands in for a gateway: it numbers its answers, and keeps who asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.asked.append(f"{self.path} {self.headers['Authorization']}")
                body = json.dumps({"AccessKeyId": f"ASIA{len(gateway.asked)}"}).encode()
                self.send_response(gateway.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def source(self) -> dict[str, str]:
        port = self.server.server_address[1]
        return {"url": f"http://127.0.0.1:{port}/-/role-credentials", "ticket": "the-ticket"}


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    found = Gateway()
    yield found
    found.server.shutdown()
    found.server.server_close()


def said(agent: Agent, name: str) -> str:
    line = agent.journal.wait(lambda e: e.get("line", "").startswith(f"{name}="))["line"]
    return str(line.removeprefix(f"{name}="))


def ask(url: str, token: str | None, method: str = "GET") -> Reply:
    """Ask as SDKs do."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=10)
    try:
        headers = {} if token is None else {"Authorization": token}
        connection.request(method, place.path, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def test_each_question_is_the_platforms_to_answer(tmp_path: Path, gateway: Gateway) -> None:
    """So that nothing is kept that could end; and a refusal is told as it came."""
    with specialised(
        tmp_path, {"bootstrap": BOOTSTRAP}, runtime="provided.al2023",
        role=gateway.source,
    ) as agent:  # fmt: skip
        url, token = said(agent, "where").split()
        answers = [ask(url, token) for _ in range(2)]
        gateway.status = 403
        refused = ask(url, token)
        wrong = [ask(url, one).status for one in (None, "", token[:-1], f"Bearer {token}")]
        posted = ask(url, token, "POST").status
        keys = said(agent, "keys")
        lines = json.dumps(agent.journal.events)
    assert [one.json["AccessKeyId"] for one in answers] == ["ASIA1", "ASIA2"]
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert (refused.status, wrong, posted) == (403, [401] * 4, 405)
    assert gateway.asked == ["/-/role-credentials Bearer the-ticket"] * 3
    assert keys == ",AKIDEXAMPLE,/dev/null"
    assert "ASIA" not in lines
    assert "the-ticket" not in lines


def test_a_platform_that_is_away_is_no_end(tmp_path: Path, gateway: Gateway) -> None:
    gateway.server.shutdown()
    gateway.server.server_close()
    with specialised(
        tmp_path, {"bootstrap": BOOTSTRAP}, runtime="provided.al2023", role=gateway.source
    ) as agent:
        url, token = said(agent, "where").split()
        answer = ask(url, token)
    assert answer.status == 503
    assert "the platform does not answer" in answer.json["message"]


def test_a_function_without_a_role_has_the_platforms_keys_alone(tmp_path: Path) -> None:
    with specialised(tmp_path, {"bootstrap": BOOTSTRAP}, runtime="provided.al2023") as agent:
        assert said(agent, "where").strip() == ""
        assert said(agent, "keys") == "AKIDEXAMPLE,,"
