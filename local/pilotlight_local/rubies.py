"""Which Ruby runs the functions of local mode: the minor version that they ask for, or none.

On the PATH, or where rbenv keeps them. Another version is no substitute: gems are compiled for one.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.errors import StartFailedError

from .environments import Interpreter, said_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Rubies"]

_RUNTIME = re.compile(r"ruby(\d+\.\d+)")
_VERSION = re.compile(r"ruby ((\d+\.\d+)\.\d+)")


class Rubies:
    """The Ruby of functions, by runtime; each is looked for until it is found."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._found: dict[str, Interpreter] = {}
        self._looking = threading.Lock()

    def find(self, runtime: str) -> Interpreter:
        """Return what runs a runtime's functions.

        Raises StartFailedError where there is none.
        """
        match = _RUNTIME.fullmatch(runtime)
        if match is None:
            raise ValueError(f"{runtime!r} came, ruby3.3 or its like is expected")
        with self._looking:
            if runtime not in self._found:
                self._found[runtime] = self._find(match[1])
            return self._found[runtime]

    def _find(self, wanted: str) -> Interpreter:
        asked = (_ask(path, wanted) for path in self._candidates(wanted))
        found = next((one for one in asked if one is not None), None)
        if found is None:
            raise StartFailedError(
                f"nothing here runs ruby{wanted}: no ruby {wanted} on the PATH or of rbenv",
                reason="InvalidRuntime",
            )
        return found

    def _candidates(self, wanted: str) -> Iterator[Path]:
        for folder in self._environment.get("PATH", "").split(os.pathsep):
            yield from (Path(folder, name) for name in (f"ruby{wanted}", "ruby"))
        home = Path(self._environment.get("HOME", "/"))
        rbenv = Path(self._environment.get("RBENV_ROOT") or home / ".rbenv", "versions")
        yield from (folder / "bin" / "ruby" for folder in sorted(rbenv.glob(f"{wanted}.*")))


def _ask(candidate: Path, wanted: str) -> Interpreter | None:
    """Have a Ruby say its version; None where it is another one, or does not start."""
    if not os.access(candidate, os.X_OK):
        return None
    match = _VERSION.match(said_by(candidate, "--version"))
    return Interpreter(candidate, match[1]) if match and match[2] == wanted else None
