"""What the platform asks of a runtime family; `bootstrap` and `python` answer in their own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pilotlight.errors import InvalidResourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Family", "Handler", "Sources"]


class Sources(NamedTuple):
    """The code of a function that is new, as far as it lies on the first level."""

    files: Mapping[str, bytes]
    only: str | None = None
    """The file's name where the code is one file, which may have any."""


class Handler(NamedTuple):
    """What runs a function's code, and where it begins."""

    runtime: str
    handler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Runtimes of one language, or those that the functions bring."""

    prefix: str
    """What their ids begin with."""
    supported: frozenset[str]
    """Ids that Lambda takes new functions of."""
    deprecated: frozenset[str] = frozenset()
    """Ids that it knows and refuses."""
    one_call: frozenset[str] = frozenset()
    """Ids of which an environment can take one call at a time only."""
    suffix: str | None = None
    """Of a file of source text; None where only compiled code runs."""
    needs_image: bool = True
    """Whether a machine without the runtime's image cannot run it."""
    pooled: bool = False
    """Whether, in local mode, an agent that has no function yet can prepare for one, and should. On
    a cluster the `Runtime` says it."""
    forks: bool = False
    """Whether such an agent forks environments from an interpreter that is warm."""
    compiled: bool = False
    """Whether packages get bytecode in local mode (`packages.compiled_packages`). On a cluster
    those do whose runtime is the operator's own Python."""

    def source_file(self, handler: str) -> str | None:
        """Return the name of the file that `code.inline` becomes; None where it cannot be code.

        Raises InvalidResourceError where the handler names no file inside the package.
        """
        if self.suffix is None:
            return None
        module = handler.rpartition(".")[0].replace(".", "/")
        if not module or any(part in {"", "."} for part in module.split("/")):
            raise InvalidResourceError(
                f"handler {handler!r} names no file for code.inline: file.function is expected"
            )
        return module + self.suffix

    def find_handler(self, sources: Sources) -> Handler | None:  # noqa: ARG002  families differ
        """Find what a new function begins with, where that is certain."""
        return None

    def first_files(self) -> Mapping[str, str]:
        """Return the code of a function that greets, for `pilotlight init`; none where none runs.

        `find_handler` finds where it begins.
        """
        return {}

    def looks_for(self, only: str | None) -> str:  # noqa: ARG002  families differ
        """Say what `find_handler` looks for; empty where it never finds anything."""
        return ""
