"""What runs a runtime's functions in local mode, whatever its language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .javas import Javas
from .nodes import Nodes
from .pythons import Pythons
from .rubies import Rubies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .environments import Interpreter

__all__ = ["Languages"]


class Language(Protocol):
    """What runs the functions of one language."""

    def find(self, runtime: str) -> Interpreter:
        """Return what runs a runtime's functions; StartFailedError where there is none."""


class Languages:
    """The interpreters of functions; `cache` keeps what is made, `tell` says that it is."""

    def __init__(self, cache: Path, tell: Callable[[str], None]) -> None:
        self.pythons = Pythons(cache, tell)
        self._others: dict[str, Language] = {
            "nodejs": Nodes(cache, tell),
            "java": Javas(cache, tell),
            "ruby": Rubies(),
        }

    def find(self, runtime: str) -> Interpreter:
        """Return what runs a runtime's functions; blocks, for seconds where it has to be made.

        Raises StartFailedError where there is none.
        """
        for prefix, language in self._others.items():
            if runtime.startswith(prefix):
                return language.find(runtime)
        return self.pythons.find(runtime)
