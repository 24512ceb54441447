"""Families that no image runs yet: their ids are Lambda's.

Whichever gets an image gets a file of its own.
"""

from __future__ import annotations

from .family import Family

__all__ = ["DOTNET", "GO"]

DOTNET = Family(
    prefix="dotnet",
    supported=frozenset({"dotnet8", "dotnet10"}),
    deprecated=frozenset({
        "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6",
    }),
)  # fmt: skip
GO = Family(prefix="go", supported=frozenset(), deprecated=frozenset({"go1.x"}))
