"""A client as a program of its own: it is told an operation by a line of JSON, and answers by one.

Each program of `drivers/` turns `{"do": "call", "operation": "GetFunction", "input": {…}, "key":
"000000000001"}` into the call that its client has for it and answers `{"output": {…}}`, `{"error":
CODE, "status": 404, "message": "…"}` or, where its client has no such call, `{"missing": "why"}`.
Bytes are base64, times texts. `do` is `call`, `wait` (the operation is a waiter's name) or `pages`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["Driver", "MissingError", "RefusedError"]

ANSWER_SECONDS = 60.0


class RefusedError(Exception):
    """The platform's error, as the client raised it."""

    def __init__(self, code: str, status: int | None, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        """None where the client does not tell."""
        self.message = message


class MissingError(Exception):
    """The client has no such call."""


class Driver:
    """One running program; one call at a time."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, variables: Mapping[str, str]
    ) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, operation: str, key: str, given: Mapping[str, Any]) -> Any:
        """Have one thing done.

        Raises RefusedError, MissingError, and RuntimeError where the program ended or hangs.
        """
        asked = {"do": do, "operation": operation, "key": key, "input": given}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked, default=_text) + "\n")
        stdin.flush()
        limit = threading.Timer(ANSWER_SECONDS, self._process.kill)
        limit.start()
        try:
            line = stdout.readline()
        finally:
            limit.cancel()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended at {operation}, or hung")
        return _output(json.loads(line))

    def stop(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _output(answer: dict[str, Any]) -> Any:
    if "missing" in answer:
        raise MissingError(answer["missing"])
    if "error" in answer:
        raise RefusedError(answer["error"], answer.get("status"), answer.get("message", ""))
    return answer["output"]
