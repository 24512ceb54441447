"""What is wrong with a pattern, in the words of AWS, and where: a path like `detail.state[1]`."""

from __future__ import annotations

__all__ = ["PatternError", "UnjudgedError"]


class PatternError(ValueError):
    """A pattern that AWS refuses too."""

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(f"{reason} at {where}" if where else reason)
        self.reason = reason
        self.where = where

    def inside(self, path: str) -> PatternError:
        """Return the same error, its place being inside another."""
        return PatternError(self.reason, path + self.where)


class UnjudgedError(Exception):
    """To say whether an event matches would take a pattern too long."""
