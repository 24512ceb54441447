"""State: interfaces, and an implementation a module."""

from .interfaces import ArtifactStore, Change, LogLine, LogQuery, LogStore, ResourceStore

__all__ = ["ArtifactStore", "Change", "LogLine", "LogQuery", "LogStore", "ResourceStore"]
