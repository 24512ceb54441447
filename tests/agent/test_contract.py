"""The agent stands alone and so keeps copies of what core says; here they are held equal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.agent.protocol import CodeSource, FunctionFacts, Specialisation
from pilotlight_agent import gateway_api, specification
from pilotlight_gateway.invocation import invocation
from pilotlight_gateway.invocation.dispatch import environment
from pilotlight_wire import archive
from pilotlight_wire import archive as agents_archive

if TYPE_CHECKING:
    from types import ModuleType

FACTS = FunctionFacts(
    name="f", version="$LATEST", arn="arn:aws:lambda:us-east-1:000000000000:function:f",
    account="000000000000", region="us-east-1", runtime="python3.13", handler="index.handler",
    memory=128, timeout=3, ephemeral_storage=512, log_group="/aws/lambda/f", log_format="JSON",
    application_log_level="DEBUG", system_log_level="WARN",
)  # fmt: skip


def test_packages_are_checked_by_the_same_code() -> None:
    assert Path(archive.__file__).read_text() == Path(agents_archive.__file__).read_text()


def test_the_agent_knows_every_header() -> None:
    headers = _headers(invocation) | _headers(environment)
    assert len(headers) >= 10
    assert headers <= _headers(gateway_api)


def _headers(module: ModuleType) -> set[str]:
    """Give the protocol's headers that a module writes or reads."""
    return set(
        re.findall(r"pilotlight(?:-[a-z]+)+", Path(module.__file__ or "").read_text().lower())
    )


def test_a_specialisation_arrives_as_it_was_sent() -> None:
    sent = Specialisation(
        revision="0" * 16,
        function=FACTS,
        environment={"A_B": "c"},
        credentials={},
        code=CodeSource(sha256="a" * 64, url="http://gateway/x", ticket="t"),
    )
    arrived = specification.parse(json.dumps(sent.to_json()).encode())
    assert arrived.revision == sent.revision
    assert arrived.environment == sent.environment
    assert arrived.code.sha256 == sent.code.sha256
    assert arrived.function.timeout == FACTS.timeout
    assert arrived.function.log_format == FACTS.log_format
