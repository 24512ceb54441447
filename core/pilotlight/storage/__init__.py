"""State: interfaces, and an implementation a module."""

from .interfaces import ArtifactStore, Change, LogLine, LogQuery, LogStore, ResourceStore
from .mirror import Mirror

__all__ = ["ArtifactStore", "Change", "LogLine", "LogQuery", "LogStore", "Mirror", "ResourceStore"]
