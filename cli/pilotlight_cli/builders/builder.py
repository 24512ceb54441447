"""What the platform asks of a builder: one object for each kind of project."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Protocol

from ..failures import USAGE, Failure
from .tool import AS_IT_IS, Advice

if TYPE_CHECKING:
    from pathlib import Path

    from ..package import Built
    from .target import Target
    from .workshop import Workshop

__all__ = ["NO_NETWORK", "Builder", "read_text", "read_toml"]

NO_NETWORK = Advice(
    r"failed to fetch|connect error|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|no route to host"
    r"|name resolution|newconnectionerror|could not resolve|connection refused|no such host"
    r"|unknown host|network is unreachable|transfer failed",
    "what it wanted to fetch from did not answer: is there a network, and is a registry of your "
    f"own named rightly? {AS_IT_IS}",
)


class Builder(Protocol):
    """Makes of a project what its runtime runs."""

    prefix: str
    """What the ids of its runtimes begin with."""

    handler: str | None
    """Where what it makes begins; None where the code says it."""

    def manifest(self, folder: Path) -> str | None:
        """Name the file that makes a folder such a project; None where nothing has to be built."""

    def runtime(self, folder: Path) -> str:
        """Choose the runtime of a new function."""

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Build; raises Failure that says what was wrong and what to do."""


def read_text(file: Path) -> str:
    """Read a text that may not be there, which is nothing; raises Failure with the file's name."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: UTF-8 is expected: {error}", USAGE) from error
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", USAGE) from error


def read_toml(file: Path) -> dict[str, Any]:
    """Read TOML; raises Failure that has the line."""
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{file}: no TOML: {error}", USAGE) from error
