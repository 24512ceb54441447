"""State: interfaces, and an implementation a module."""

from .interfaces import (
    Artifact,
    ArtifactStore,
    Change,
    LogLine,
    LogQuery,
    LogStore,
    LogStream,
    ResourceStore,
)

__all__ = [
    "Artifact",
    "ArtifactStore",
    "Change",
    "LogLine",
    "LogQuery",
    "LogStore",
    "LogStream",
    "ResourceStore",
]
