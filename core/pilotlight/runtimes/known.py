"""Families that no image runs yet: their ids are Lambda's, and their source files have a suffix.

Whichever gets an image gets a file of its own.
"""

from __future__ import annotations

from .family import Family

__all__ = ["DOTNET", "GO", "RUBY"]

RUBY = Family(
    prefix="ruby",
    supported=frozenset({"ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"}),
    deprecated=frozenset({"ruby2.5", "ruby2.7"}),
    suffix=".rb",
)
DOTNET = Family(
    prefix="dotnet",
    supported=frozenset({"dotnet8", "dotnet10"}),
    deprecated=frozenset({
        "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6",
    }),
)  # fmt: skip
GO = Family(prefix="go", supported=frozenset(), deprecated=frozenset({"go1.x"}))
