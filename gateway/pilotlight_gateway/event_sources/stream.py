"""What a stream is to its reader: shards, positions in them, and records that come in order.

`kinesis` and `dynamodb` are such streams; what their APIs have in common stands here. A stream is
read by `stream_source`, which finds its shards, and `shard_reader`, which reads one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from pilotlight.aws.client import AwsError, AwsService

from .source import SourceError

if TYPE_CHECKING:
    from .source import PolledMapping

__all__ = [
    "AwsStream",
    "BatchNames",
    "ExpiredIteratorError",
    "Page",
    "Position",
    "SlowDownError",
    "Stream",
    "StreamRecord",
    "StreamShard",
    "TrimmedError",
]


class ExpiredIteratorError(SourceError):
    """An iterator was kept too long: a new one is to be made."""


class TrimmedError(SourceError):
    """The position is older than what the stream still has."""


class SlowDownError(SourceError):
    """The source wants to be asked less often."""


@dataclass(slots=True, eq=False)
class StreamRecord:
    """A record of a shard."""

    sequence: str
    """Its sequence number, by which functions name it."""
    key: str
    """Records of one key stay in order."""
    arrived_at: float
    """When the stream took it, in seconds since the epoch, as the stream says."""
    record: dict[str, Any]
    """As the function sees it."""
    encoded: bytes = b""
    lent: int = 0
    """Bytes of the gateway's memory that it has."""


@dataclass(frozen=True, slots=True)
class StreamShard:
    """A shard, as its stream lists it."""

    name: str
    parents: tuple[str, ...] = ()
    """The shards that it was split or merged from."""
    closed: bool = False
    """Whether it gets no more records."""
    start: str = ""
    """The sequence number that it begins with, where a stream of the same ARN may be made anew."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a shard is read from: its oldest record if nothing is said."""

    after: str = ""
    """The sequence number of the record before."""
    since: float | None = None
    """From records of this time on, in seconds since the epoch."""
    latest: bool = False
    """From the next record on that comes."""


class Page(NamedTuple):
    """What one call reads."""

    records: list[StreamRecord]
    next: str | None
    """The iterator of the next call; None at the shard's end."""
    caught_up: bool
    """Whether nothing more was there."""


class BatchNames(Protocol):
    """What the record of a failed batch says of its source."""

    @property
    def arn(self) -> str:
        """The source's."""
        ...

    @property
    def batch_info(self) -> str:
        """The member that names the batch."""
        ...


class Stream(BatchNames, Protocol):
    """A stream's client; every method raises SourceError."""

    pause: float
    """Seconds between calls, once all that there was has been read."""
    precision: float
    """Seconds that times of records are multiples of."""
    largest_page: int
    """Records of a call, at most."""

    async def shards(self) -> list[StreamShard]:
        """Return the shards that there are, closed ones too."""
        ...

    async def iterator(self, shard: str, position: Position) -> str:
        """Begin to read a shard at a position; raises TrimmedError."""
        ...

    async def read(self, shard: str, iterator: str, most: int) -> Page:
        """Read on; raises ExpiredIteratorError and SlowDownError."""
        ...


_KINDS: dict[str, type[SourceError]] = {
    "ExpiredIteratorException": ExpiredIteratorError,
    "TrimmedDataAccessException": TrimmedError,
    "ProvisionedThroughputExceededException": SlowDownError,
    "LimitExceededException": SlowDownError,
    "ThrottlingException": SlowDownError,
    "KMSThrottlingException": SlowDownError,
}
_REASONS = {
    "AccessDeniedException": "AccessDenied",
    "InvalidClientTokenId": "AccessDenied",
    "UnrecognizedClientException": "AccessDenied",
    "InvalidSignatureException": "AccessDenied",
    "IncompleteSignatureException": "AccessDenied",
    "MissingAuthenticationTokenException": "AccessDenied",
    "NoCredentials": "AccessDenied",
}


class AwsStream:
    """What streams of AWS have in common: how they are called, and what their errors mean."""

    service: ClassVar[AwsService]

    def __init__(self, polled: PolledMapping) -> None:
        spec = polled.mapping.spec
        self.arn = spec.event_source_arn or ""
        self.region = self.arn.split(":")[3]
        self._client = polled.services.aws_clients.client(
            self.service,
            namespace=polled.reference.namespace,
            account=polled.reference.account,
            region=self.region,
            url=spec.endpoint,
        )

    async def call(self, operation: str, document: dict[str, Any]) -> dict[str, Any]:
        """Run an operation; raises SourceError."""
        try:
            return await self._client.call(operation, document)
        except AwsError as error:
            code = error.service_code
            if code == "ResourceNotFoundException":
                raise SourceError(f"Stream not found: {self.arn}", "NotFound") from error
            kind = _KINDS.get(code, SourceError)
            said = str(error) if code in {"", "NoCredentials"} else f"{operation}: {code}: {error}"
            raise kind(said, _REASONS.get(code, "Unreachable")) from error
