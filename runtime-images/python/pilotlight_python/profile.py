"""What a zygote has loaded before any function is known, and how to be without it.

Two lists, in `profile.json`: modules of the standard library, and packages that functions import
most. A function that brings one of these packages itself is to find its own: its environment
forgets them all, and imports what it wants as if none had been loaded. The standard library cannot
be forgotten, so a function that shadows a module of it is started plainly.
"""

import gc
import importlib
import json
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_LISTS = Path(__file__).with_name("profile.json")
_kept: list[ModuleType] = []
"""What was forgotten. To free it would only take memory from what other processes share."""


class Profile:
    """Loaded modules beyond those of a plain start, by their top-level names."""

    def __init__(self, plain: Iterable[str]) -> None:
        loaded = _top_level(sys.modules) - _top_level(plain)
        self.packages = frozenset(loaded - sys.stdlib_module_names)
        self.standard = loaded - self.packages

    def forget(self) -> None:
        """Make this process one that has not loaded the packages."""
        forget(self.packages)
        sys.meta_path[:] = [
            finder for finder in sys.meta_path if _home(finder) not in self.packages
        ]


def load() -> None:
    """Import what is on the lists, as far as it is installed."""
    lists: dict[str, list[str]] = json.loads(_LISTS.read_bytes())
    for name in (*lists["standard"], *lists["packages"]):
        if find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def forget(packages: Iterable[str]) -> None:
    """Take packages out of the table of loaded modules, but not out of memory."""
    names = [name for name in sys.modules if name.partition(".")[0] in packages]
    _kept.extend(sys.modules.pop(name) for name in names)


def _top_level(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _home(finder: object) -> str:
    """Return the package that a finder comes from; six leaves one for each copy of itself."""
    home = finder.__module__ if isinstance(finder, type) else type(finder).__module__
    return home.partition(".")[0]
