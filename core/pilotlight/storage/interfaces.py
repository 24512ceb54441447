"""What state looks like from the parts that use it; two implementations of each interface.

Embedded: SQLite and a directory. Cluster: the Kubernetes API and PostgreSQL. All of them raise
core's errors (`pilotlight.errors`) and nothing of the library below them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence

from ..resources import Key, Resource

__all__ = [
    "Artifact",
    "ArtifactStore",
    "Change",
    "LogLine",
    "LogQuery",
    "LogStore",
    "ResourceStore",
]

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Change(Generic[R]):
    """One step of a watch.

    `present` carries a resource, `gone` says which it was. `synced`: everything that was there
    when the watch began has been told, and what was not told is gone.
    """

    kind: Literal["present", "gone", "synced"]
    resource: R | None = None
    key: Key | None = None
    uid: str = ""


class ResourceStore(Protocol):
    """Custom resources, Secrets and Namespaces."""

    async def get(self, kind: type[R], key: Key) -> R:
        """Read one; raises NotFoundError."""
        ...

    async def list(self, kind: type[R], namespace: str | None = None) -> list[R]:
        """Read all of a kind, of one namespace or of every one that is served."""
        ...

    async def create(self, resource: R) -> R:
        """Write a new one; raises AlreadyExistsError."""
        ...

    async def replace(self, resource: R) -> R:
        """Write metadata and spec if nobody else did since; raises ConflictError, NotFoundError."""
        ...

    async def write_status(self, resource: R) -> R:
        """Write the status alone, whatever the spec is by now; raises NotFoundError."""
        ...

    async def delete(self, kind: type[R], key: Key) -> None:
        """Delete one and what it owns; raises NotFoundError."""
        ...

    def watch(self, kind: type[R], namespace: str | None = None) -> AsyncGenerator[Change[R], None]:
        """Tell what is there, then `synced`, then every change; for ever, through disconnects.

        Of one namespace, or of all.
        """
        ...


@dataclass(frozen=True, slots=True)
class Artifact:
    """A package that is being read."""

    size: int
    """In bytes."""
    content: AsyncIterator[bytes]
    """In pieces; raises NotFoundError where the artifact is collected meanwhile."""


class ArtifactStore(Protocol):
    """Deployment packages, addressed by the sha256 (hex) of their bytes.

    Equal bytes are kept once, but to know a sha256 is not to have the package: it belongs to the
    accounts, by their namespaces, that brought its bytes themselves.
    """

    async def put(self, sha256: str, content: AsyncIterator[bytes]) -> int:
        """Keep an artifact and give its size; raises ArtifactMismatchError, keeping nothing."""
        ...

    async def size(self, sha256: str) -> int | None:
        """Return an artifact's size in bytes, or None where it is not there."""
        ...

    async def read(self, sha256: str) -> Artifact:
        """Begin to read an artifact; raises NotFoundError."""
        ...

    async def note_owner(self, sha256: str, namespace: str) -> None:
        """Note that an account brought an artifact's bytes; raises NotFoundError."""
        ...

    async def belongs(self, sha256: str, namespace: str) -> bool:
        """Whether an artifact is there, and an account brought its bytes."""
        ...

    async def compiled(self, sha256: str, tag: str) -> str | None:
        """Name the artifact that stands for a package where an interpreter runs it.

        `tag` is the interpreter's (PEP 3147). The package itself stands where compiling it is not
        worth it or was not possible; None where nobody has tried.
        """
        ...

    async def note_compiled(self, sha256: str, tag: str, compiled: str) -> None:
        """Keep that name, and the artifact as long as the package; raises NotFoundError."""
        ...

    async def incarnation(self) -> str:
        """Say something else whenever artifacts may have been lost since (`replacements`)."""
        ...

    async def collect(self, referenced: Collection[str], *, unused_seconds: float) -> int:
        """Delete what nobody refers to and nobody wrote or read for that long; give how many.

        To read what was compiled of a package is to read the package.
        """
        ...


class LogLine(NamedTuple):
    """One line that a function or the platform wrote about an invocation."""

    time: float
    """Seconds since the epoch."""
    namespace: str
    function: str
    stream: str
    request_id: str
    message: str
    id: int = 0
    """Ascending within a store; 0 until stored."""


LATEST = 1e12
"""Seconds since the epoch that no line has."""
LAST_ID = (1 << 63) - 1
"""The stores' integers end here."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are wanted, oldest first."""

    namespace: str
    function: str
    since: float = 0.0
    until: float = LATEST
    """Lines of this time come no more."""
    request_id: str | None = None
    stream: str | None = None
    after_id: int = 0
    before_id: int = LAST_ID
    first: bool = False
    """Whether the first lines are wanted, not the last; so it is where `after_id` is given."""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class LogStream:
    """What is kept of one environment's lines."""

    name: str
    first_time: float
    last_time: float


class LogStore(Protocol):
    """Log lines, bounded by size and age."""

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        ...

    async def query(self, query: LogQuery) -> list[LogLine]:
        """Return the last `limit` lines of a query, or the first ones, by id."""
        ...

    async def streams(self, namespace: str, function: str) -> list[LogStream]:
        """Return the streams of a function, by name."""
        ...

    async def delete(
        self, namespace: str, function: str, *, until: float, stream: str | None = None
    ) -> int:
        """Delete a function's lines, or a stream's, from before a time; returns how many."""
        ...
