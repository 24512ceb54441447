"""Managed Java: its code comes compiled, as a jar or as classes and `lib/*.jar` in a zip."""

from __future__ import annotations

from dataclasses import dataclass

from .family import Family

__all__ = ["NEWEST", "Java"]

NEWEST = "java21"
"""Of those that an image runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Java(Family):
    """The family of `java21`."""

    prefix: str = "java"
    supported: frozenset[str] = frozenset({
        "java8.al2", "java11", "java17", NEWEST, "java25", "java8.al2023", "java11.al2023",
        "java17.al2023",
    })  # fmt: skip
    deprecated: frozenset[str] = frozenset({"java8"})
    needs_image: bool = False
    pooled: bool = True
