"""Artifacts on disk are whole, what they were announced as, and kept while somebody needs them."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import ArtifactMismatchError, NotFoundError
from pilotlight.storage.directory_artifacts import DirectoryArtifacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONTENT = os.urandom(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


async def chunks(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """Return content as a request's body comes."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def broken(content: bytes) -> AsyncIterator[bytes]:
    """Return some content and lose the connection."""
    yield content
    raise ConnectionResetError("the client went away")


def names_in(folder: Path) -> set[str]:
    """Name what stands in a folder, beside who brought it."""
    return {path.name for path in folder.iterdir()} - {"owners"}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryArtifacts:
    """Return an empty store."""
    return DirectoryArtifacts(tmp_path)


async def test_what_was_put_is_read_in_chunks(store: DirectoryArtifacts) -> None:
    """Size and bytes are the same, twice over."""
    assert await store.put(SHA256, chunks(CONTENT)) == len(CONTENT)
    assert await store.put(SHA256, chunks(CONTENT, 1_000)) == len(CONTENT)
    assert await store.size(SHA256) == len(CONTENT)

    found = await store.read(SHA256)
    read = [chunk async for chunk in found.content]

    assert found.size == len(CONTENT)
    assert b"".join(read) == CONTENT
    assert len(read) > 1


async def test_a_package_belongs_to_who_brought_its_bytes(store: DirectoryArtifacts) -> None:
    """To know its name is not to have it; equal bytes are kept once."""
    await store.put(SHA256, chunks(CONTENT))
    assert not await store.belongs(SHA256, "a")
    await store.note_owner(SHA256, "a")
    assert await store.belongs(SHA256, "a")
    assert not await store.belongs(SHA256, "b")
    with pytest.raises(NotFoundError):
        await store.note_owner("0" * 64, "a")
    assert await store.collect(set(), unused_seconds=-1) == 1
    assert not await store.belongs(SHA256, "a")


async def test_what_was_kept_before_owners_were_noted_is_everybodys(tmp_path: Path) -> None:
    """Functions of an earlier version go on; what comes later is its owners' alone."""
    (tmp_path / SHA256).write_bytes(CONTENT)
    store = DirectoryArtifacts(tmp_path)
    assert await store.belongs(SHA256, "anybody")
    later = hashlib.sha256(b"later").hexdigest()
    await store.put(later, chunks(b"later"))
    assert not await DirectoryArtifacts(tmp_path).belongs(later, "anybody")


@pytest.mark.parametrize(
    "announced", ["0" * 64, "../escaped", "", pytest.param(SHA256.upper(), id="in capitals")]
)
async def test_other_bytes_than_announced_are_not_kept(tmp_path: Path, announced: str) -> None:
    """Nor is a name that is no sha256 ever made a path."""
    store = DirectoryArtifacts(tmp_path / "artifacts")
    with pytest.raises(ArtifactMismatchError, match=SHA256):
        await store.put(announced, chunks(CONTENT))
    assert names_in(tmp_path / "artifacts") == set()
    assert names_in(tmp_path) == {"artifacts"}


async def test_a_cut_off_upload_leaves_nothing(store: DirectoryArtifacts, tmp_path: Path) -> None:
    """The client's failure is a refusal of the store, without a half file."""
    with pytest.raises(Exception, match="went away"):
        await store.put(SHA256, broken(CONTENT))
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize(
    "name", [pytest.param(SHA256, id="never kept"), "../resources.sqlite", "", "0" * 63]
)
async def test_what_is_not_there_is_not_found(
    store: DirectoryArtifacts, tmp_path: Path, name: str
) -> None:
    """A path out of the folder is no artifact."""
    (tmp_path.parent / "resources.sqlite").touch()
    assert await store.size(name) is None
    with pytest.raises(NotFoundError):
        await store.read(name)


async def test_only_what_is_old_and_unreferenced_is_collected(
    store: DirectoryArtifacts, tmp_path: Path
) -> None:
    """Reading makes young."""
    names = {}
    for label in ("young", "referenced", "read", "old"):
        sha256 = hashlib.sha256(label.encode()).hexdigest()
        await store.put(sha256, chunks(label.encode()))
        names[label] = sha256
    long_ago = time.time() - 100_000
    for label in ("referenced", "read", "old"):
        os.utime(tmp_path / names[label], (long_ago, long_ago))
    (tmp_path / ".partial-of-a-crash").touch()
    os.utime(tmp_path / ".partial-of-a-crash", (long_ago, long_ago))
    found = await store.read(names["read"])
    assert [chunk async for chunk in found.content] == [b"read"]

    collected = await store.collect([names["referenced"]], unused_seconds=86_400)

    assert collected == 1
    assert names_in(tmp_path) == {names["young"], names["referenced"], names["read"]}


TAG = "cpython-313"


async def put(store: DirectoryArtifacts, content: bytes) -> str:
    """Keep an artifact; gives its address."""
    sha256 = hashlib.sha256(content).hexdigest()
    await store.put(sha256, chunks(content))
    return sha256


def grow_old(folder: Path) -> None:
    """Let everything be unused for two days."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - 172_800,) * 2)


async def test_what_was_compiled_is_kept_with_its_package(
    store: DirectoryArtifacts, tmp_path: Path
) -> None:
    """And goes after it."""
    used, old, plain = [await put(store, content) for content in (b"u", b"o", b"p")]
    of_used, of_old = [await put(store, content) for content in (b"cu", b"co")]
    for package, compiled in ((used, of_used), (old, of_old), (plain, plain)):
        await store.note_compiled(package, TAG, compiled)
    grow_old(tmp_path)
    assert await store.compiled(used, TAG) == of_used
    assert await store.compiled(used, "cpython-314") is None
    assert await store.collect({used}, unused_seconds=86_400) == 2
    assert await store.compiled(old, TAG) is None
    assert await store.collect({used}, unused_seconds=86_400) == 1
    assert names_in(tmp_path) == {used, of_used, f"{used}.{TAG}"}


async def test_to_read_what_was_compiled_is_to_use_its_package(
    store: DirectoryArtifacts, tmp_path: Path
) -> None:
    """An update's old package stays for a rollback."""
    package, compiled = [await put(store, content) for content in (b"p", b"c")]
    await store.note_compiled(package, TAG, compiled)
    grow_old(tmp_path)
    assert [chunk async for chunk in (await store.read(compiled)).content] == [b"c"]
    assert await store.collect([], unused_seconds=86_400) == 0
    assert await store.size(package) == 1


async def test_nothing_is_noted_of_packages_that_are_gone(store: DirectoryArtifacts) -> None:
    """Neither of the one nor of the other."""
    there = await put(store, b"x")
    for package, compiled in (("0" * 64, there), (there, "0" * 64)):
        with pytest.raises(NotFoundError):
            await store.note_compiled(package, TAG, compiled)
