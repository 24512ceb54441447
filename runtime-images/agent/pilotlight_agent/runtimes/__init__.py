"""Runtime families: how the processes of each are started, and how the agent speaks with them.

A family is one object, in a file of its own, and stands in `FAMILIES`; nothing else asks for one by
name. Its other half, what the platform must know, is in `pilotlight.runtimes`.
"""

from .bootstrap import Bootstrap
from .family import Family
from .image import Image
from .java import Java
from .node import Node
from .python import Python
from .ruby import Ruby

__all__ = ["FAMILIES", "Family", "family_of"]

FAMILIES: tuple[Family, ...] = (Python(), Node(), Java(), Ruby(), Image(), Bootstrap())
"""The last takes every runtime that none before it does."""


def family_of(runtime: str) -> Family:
    """Return the family that starts a runtime, by its id."""
    return next(family for family in FAMILIES if runtime.startswith(family.prefix))
