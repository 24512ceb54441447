"""An agent's answer that is no 200 (`pilotlight_wire.protocol.Error`), as the platform reads it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import NamedTuple

__all__ = ["Refusal"]


class Refusal(NamedTuple):
    """Why an agent did not do what it was asked."""

    status: int
    code: str
    message: str
    retryable: bool

    @classmethod
    def parse(cls, status: int, body: bytes) -> Refusal:
        """Read an answer; what is not an agent's own says nothing of a retry."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            document = {}
        return cls(
            status,
            str(document.get("code", "InternalError")),
            str(document.get("message", f"HTTP {status} without a reason")),
            document.get("retryable") is True,
        )

    @property
    def not_begun(self) -> bool:
        """Whether the function has not begun, so that another environment may be asked."""
        return self.retryable or self.status == HTTPStatus.CONFLICT

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
