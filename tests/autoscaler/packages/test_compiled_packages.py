"""A package is compiled once for all leaders, and never holds up or breaks a start."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
import zipfile
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import UnavailableError
from pilotlight.resources import Configuration
from pilotlight.storage import replacements
from pilotlight_autoscaler.packages import compile_package, compiled_packages
from pilotlight_autoscaler.packages.compiled_packages import CompiledPackages, runs_own_python
from pilotlight_autoscaler.quiet import Quiet
from pilotlight_wire import archive_directory
from tests.autoscaler.claims.test_wire import eventually
from tests.support.agent import pack
from tests.support.memory import MemoryArtifacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pilotlight.storage import Artifact

OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
TAG = str(sys.implementation.cache_tag)
until = partial(eventually, seconds=20)
"""A process starts and compiles meanwhile."""
SOURCE = "VALUE = 1\n" + "#" * 10_000


def zipped(source: str) -> bytes:
    """Return a package with one module."""
    return pack({"main.py": source})


async def stored(artifacts: MemoryArtifacts, content: bytes) -> str:
    """Put a package into a store; gives its address."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    sha256 = hashlib.sha256(content).hexdigest()
    await artifacts.put(sha256, pieces())
    return sha256


def served(sha256: str, runtime: str = OWN) -> Configuration:
    """Return a configuration that runs a package."""
    return Configuration(
        runtime=runtime, handler="main.handler", code_sha256=sha256, memory=128, timeout=3,
        ephemeral_storage=512,
    )  # fmt: skip


def compiling(artifacts: MemoryArtifacts) -> CompiledPackages:
    """Return what compiles, on a platform where nothing starts."""
    return CompiledPackages(artifacts, quiet=Quiet().wait)


@asynccontextmanager
async def running(packages: CompiledPackages) -> AsyncIterator[CompiledPackages]:
    """Compile in the background."""
    task = asyncio.create_task(packages.run())
    try:
        yield packages
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_package_serves_until_it_is_compiled() -> None:
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        assert packages.of(served(sha256)) == sha256
        await until(lambda: packages.of(served(sha256)) != sha256)
    compiled = packages.of(served(sha256))
    with zipfile.ZipFile(io.BytesIO(artifacts.held[compiled])) as content:
        assert f"__pycache__/main.{TAG}.pyc" in content.namelist()


async def test_the_next_leader_finds_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        await until(lambda: packages.of(served(sha256)) != sha256)
    monkeypatch.setattr(compile_package, "__file__", "/nowhere")
    async with running(compiling(artifacts)) as later:
        later.want(served(sha256))
        await until(lambda: later.of(served(sha256)) == packages.of(served(sha256)))


@pytest.mark.parametrize("content", [b"no package", zipped("A = 1")])
async def test_what_gains_nothing_is_tried_once(content: bytes) -> None:
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, content)
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        await until(lambda: (sha256, TAG) in artifacts.noted)
    assert artifacts.noted == {(sha256, TAG): sha256}
    assert packages.of(served(sha256)) == sha256


async def test_an_endless_compilation_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The package itself serves, for good."""
    endless = tmp_path / "endless.py"
    endless.write_text("while True: pass")
    monkeypatch.setattr(compile_package, "__file__", str(endless))
    monkeypatch.setattr(compiled_packages, "LONGEST_SECONDS", 0.2)
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        await until(lambda: artifacts.noted == {(sha256, TAG): sha256})
    assert packages.of(served(sha256)) == sha256


async def test_a_package_that_is_gone_is_nobodys_trouble() -> None:
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served("0" * 64))
        packages.want(served(sha256))
        await until(lambda: packages.of(served(sha256)) != sha256)
    assert packages.of(served("0" * 64)) == "0" * 64


async def test_what_a_store_has_lost_serves_uncompiled_until_it_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else every new environment would ask for bytecode that is nowhere."""
    monkeypatch.setattr(replacements, "LOOK_SECONDS", 0.05)
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        following = asyncio.create_task(packages.follow_store())
        packages.want(served(sha256))
        await until(lambda: packages.of(served(sha256)) != sha256)
        artifacts.lose()
        await until(lambda: packages.of(served(sha256)) == sha256)
        await stored(artifacts, zipped(SOURCE))
        packages.want(served(sha256))
        await until(lambda: packages.of(served(sha256)) != sha256)
        following.cancel()


class Away(MemoryArtifacts):
    """A store that is away at first."""

    away = True

    async def read(self, sha256: str) -> Artifact:
        """Fail once."""
        if self.away:
            self.away = False
            raise UnavailableError("the store is away")
        return await super().read(sha256)


async def test_a_store_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_packages, "RETRY_SECONDS", 0.0)
    artifacts = Away()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        await until(lambda: packages.of(served(sha256)) != sha256)


async def test_only_the_runtime_of_this_python_gets_its_bytecode() -> None:
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        await until(lambda: packages.of(served(sha256)) != sha256)
    assert packages.of(served(sha256, "nodejs22.x")) == sha256
    assert [runs_own_python(name) for name in (OWN, f"{OWN}1", "python2.7")] == [True, False, False]


async def test_a_compilation_waits_until_nothing_starts() -> None:
    artifacts, asked, quiet = MemoryArtifacts(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await quiet.wait()

    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(CompiledPackages(artifacts, quiet=wait)) as packages:
        packages.want(served(sha256))
        await asked.wait()
        assert packages.of(served(sha256)) == sha256
        quiet.set()
        await until(lambda: packages.of(served(sha256)) != sha256)


async def test_what_no_pod_would_unpack_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package may be as large as it is without bytecode."""
    monkeypatch.setattr(archive_directory, "ENTRY_LIMIT", 2)
    artifacts = MemoryArtifacts()
    sha256 = await stored(artifacts, zipped(SOURCE))
    async with running(compiling(artifacts)) as packages:
        packages.want(served(sha256))
        await until(lambda: artifacts.noted == {(sha256, TAG): sha256})
