"""A package whose function tells where the bytecode of what it imports comes from."""

from __future__ import annotations

from .agent import pack

__all__ = ["COMPILED", "package"]

COMPILED = [1, 0, 0, 0]
"""What the function answers where a package was compiled: "unchecked" (PEP 552). An interpreter
that compiles for itself writes zeros."""
MAIN = """
import pathlib
import dependency

def handler(event, context):
    cached = pathlib.Path(dependency.__cached__)
    return list(cached.read_bytes()[4:8]) if cached.exists() else None
"""
DEPENDENCY = "".join(f"def function_{number}(): return {number}\n" for number in range(500))


def package() -> bytes:
    """Return a package that is worth compiling, the same each time."""
    return pack({"main.py": MAIN, "dependency.py": DEPENDENCY})
