"""Buckets in memory: an object, or the refusal that S3 has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.aws.buckets import BucketError, Buckets
from pilotlight.aws.client import AwsError

if TYPE_CHECKING:
    from pilotlight.resources import S3Object

__all__ = ["MemoryBuckets"]


class MemoryBuckets(Buckets):
    """Has what tests put into it, and counts what is read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes | AwsError] = {}
        """By key."""
        self.reads = 0

    async def read(
        self, source: S3Object, *, namespace: str, account: str, limit: int, seconds: float = 1.0
    ) -> bytes:
        """Return an object; raises BucketError."""
        del namespace, account, limit, seconds
        self.reads += 1
        found = self.objects.get(source.key, AwsError("The key does not exist.", "NoSuchKey"))
        if isinstance(found, AwsError):
            raise BucketError(source, found)
        return found
