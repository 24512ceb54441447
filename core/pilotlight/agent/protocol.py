"""The protocol between gateway, autoscaler and agent: HTTP/1.1 under `/v1` on the pod's own port.

The agent has no dependency on core, so it keeps a copy of these names; a contract test holds the
two equal (tests/agent/test_contract.py).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = [
    "AGENT_PORT",
    "CodeSource",
    "EnvironmentState",
    "FunctionFacts",
    "Report",
    "Specialisation",
    "Specialised",
    "pod_token",
    "token_digest",
]

AGENT_PORT = 8700
"""Where the agent of a pod listens; a free port in local mode."""


def pod_token(platform_key: bytes, pod: str) -> str:
    """Give the token that opens a pod's agent; `pod` is `namespace/name`.

    Whoever holds the platform key can compute it; the PodSpec holds only its digest.
    """
    return hmac.new(platform_key, b"agent:" + pod.encode(), hashlib.sha256).hexdigest()


def token_digest(token: str) -> str:
    """Digest a token for the agent's own comparison."""
    return hashlib.sha256(token.encode()).hexdigest()


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """Give the message as it goes over the wire."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class CodeSource(_Wire):
    """Where the agent fetches the deployment package, and what it must hash to."""

    sha256: str
    url: str
    ticket: str = Field(default="", repr=False)


class FunctionFacts(_Wire):
    """What an environment is told of its function."""

    name: str
    version: str
    arn: str
    account: str
    region: str
    runtime: str
    handler: str
    memory: int
    """Megabytes."""
    timeout: int
    """Seconds."""
    ephemeral_storage: int
    """Megabytes."""
    log_group: str
    log_format: str = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None
    initialization_type: str = "on-demand"


class Specialisation(_Wire):
    """`POST /v1/specialise`: what makes a generic pod one revision's; once in its life."""

    revision: str
    function: FunctionFacts
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    credentials: dict[str, str] = Field(default_factory=dict, repr=False)
    code: CodeSource
    environments: int = 1


class EnvironmentState(_Wire):
    """One environment of a pod, as the agent tells it."""

    id: str
    state: str
    initialised: bool = False
    """Whether its runtime is past the init phase."""


class Specialised(_Wire):
    """The answer to a specialisation: what was started, and how long its steps took."""

    environments: list[EnvironmentState]
    fetch_milliseconds: float = 0.0
    unpack_milliseconds: float = 0.0
    processors: int = 0
    """Of the node; 0 where the agent does not say."""


class Report(_Wire):
    """What an invocation took, from the `Pilotlight-Report` header."""

    duration_ms: float
    billed_ms: int
    memory_size_mb: int
    max_memory_used_mb: int
    init_duration_ms: float | None = None
    status: str = "success"
