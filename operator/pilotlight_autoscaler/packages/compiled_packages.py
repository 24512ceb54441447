"""Which artifact agents fetch for a package: the one with bytecode, once it has been made.

A package is compiled when a function first serves it, beside everything else: no deployment and no
call waits for it, and until it is done the package itself serves. What was made of which package
is written down in the artifact store, so that the next leader need not make it again.
`compile_package` does the work; `revisions` asks here on the way of each start, and is answered
from memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import NotFoundError, PilotlightError
from pilotlight.runtimes.python import OWN_PYTHON
from pilotlight.storage.replacements import replacements
from pilotlight_wire import archive

from . import compile_package

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pilotlight.resources import Configuration
    from pilotlight.storage import ArtifactStore

__all__ = ["CompiledPackages", "runs_own_python"]

LONGEST_SECONDS = 180.0
"""How long a compilation may take, on a processor that others want, too."""
RETRY_SECONDS = 30.0
"""How long it rests while the artifact store is away."""
_CHUNK = 1 << 20

log = structlog.get_logger()


def runs_own_python(runtime: str) -> bool:
    """Whether a runtime's name says that it has the Python that runs this."""
    return runtime == OWN_PYTHON


class CompiledPackages:
    """The packages that have been compiled, and the one that is being."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        *,
        quiet: Callable[[], Awaitable[None]],
        python: Path | None = None,
        runs: Callable[[str], bool] = runs_own_python,
    ) -> None:
        """Compile with `python`, else the Python that runs this, for the runtimes that run it.

        `quiet` waits until no environment starts: processors are theirs first.
        """
        self._artifacts = artifacts
        self._quiet = quiet
        self._python = python or Path(sys.executable)
        self._runs = runs
        # Local mode's `python` is of this version, too; bytecode of another would be ignored.
        self._tag = sys.implementation.cache_tag or ""
        self._known: dict[str, str] = {}
        self._wanted: asyncio.Queue[str] = asyncio.Queue()

    def of(self, configuration: Configuration) -> str:
        """Return the address of what to fetch."""
        package = configuration.code_sha256
        return self._known.get(package, package) if self._runs(configuration.runtime) else package

    def want(self, configuration: Configuration) -> None:
        """Note that a package may be needed; it is compiled unless it has been."""
        package = configuration.code_sha256
        if self._runs(configuration.runtime) and package not in self._known:
            self._known[package] = package
            self._wanted.put_nowait(package)

    async def follow_store(self) -> None:
        """Look again for all that was compiled, for ever, whenever the store is another one."""
        async for _ in replacements(self._artifacts):
            log.warning("packages are looked for again", packages=len(self._known))
            for package in self._known:
                self._known[package] = package
                self._wanted.put_nowait(package)

    async def run(self) -> None:
        """Compile one package after the other, for ever."""
        while True:
            package = await self._wanted.get()
            try:
                self._known[package] = await self._find_or_make(package)
            except NotFoundError:
                self._known.pop(package, None)  # collected meanwhile
            except (PilotlightError, OSError) as error:
                log.warning("package not compiled", package=package, error=str(error))
                self._wanted.put_nowait(package)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("package not compiled", package=package)

    async def _find_or_make(self, package: str) -> str:
        found = await self._artifacts.compiled(package, self._tag)
        if found is None:
            found = await self._make(package)
            await self._artifacts.note_compiled(package, self._tag, found)
        return found

    async def _make(self, package: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "package"), Path(folder, "compiled")
            await self._fetch(package, source)
            if not await asyncio.to_thread(compile_package.has_enough_source, source):
                return package
            await self._quiet()
            if not await self._compile(source, target):
                return package
            compiled = await asyncio.to_thread(_sha256, target)
            size = await self._artifacts.put(compiled, _pieces(target))
        log.info("package compiled", package=package, compiled=compiled, size=size)
        return compiled

    async def _fetch(self, package: str, path: Path) -> None:
        artifact = await self._artifacts.read(package)
        with await asyncio.to_thread(path.open, "wb") as file:
            async for piece in artifact.content:
                await asyncio.to_thread(file.write, piece)

    async def _compile(self, source: Path, target: Path) -> bool:
        """Compile in a process of its own; whether `target` is a package then."""
        script = compile_package.__file__
        process = await asyncio.create_subprocess_exec(
            *(self._python, "-I", "-Wignore", script, source, target),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={},  # what the platform is told is no affair of a compiler's
        )
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                _, said = await process.communicate()
        except BaseException as error:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if not isinstance(error, TimeoutError):
                raise
            said = b"it took too long"
        if process.returncode != 0:
            log.warning("package cannot be compiled", reason=said.decode(errors="replace")[-200:])
            return False
        return await asyncio.to_thread(_is_package, target)


def _is_package(path: Path) -> bool:
    """Whether agents will take it: there may be too much of it with its bytecode, or nothing."""
    try:
        archive.check_entries(path)
    except archive.ArchiveError:
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _CHUNK):
            yield piece
