"""Packages of the command line are the same for the same files."""

from __future__ import annotations

import io
import os
import socket
import time
import zipfile
from pathlib import Path

import pytest

from pilotlight_cli import package
from pilotlight_cli.failures import Failure
from pilotlight_cli.files import files_of
from pilotlight_cli.package import Packages, package_of
from tests.support.platform import zip_of


def names(content: bytes) -> list[str]:
    """Name what is in a package."""
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def fill(folder: Path, *files: str) -> Path:
    """Write some files whose content is their name."""
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    return folder


def test_the_same_files_are_the_same_package(tmp_path: Path) -> None:
    """Whatever their order and their times are."""
    one = fill(tmp_path / "one", "a.py", "b/c.py", "d.py")
    two = fill(tmp_path / "two", "d.py", "b/c.py", "a.py")
    os.utime(two / "a.py", (1, 1))
    assert package_of(one) == package_of(two)
    assert names(package_of(one).content) == ["a.py", "b/c.py", "d.py"]
    (two / "a.py").write_text("other")
    assert package_of(one).sha256 != package_of(two).sha256


def test_caches_and_named_files_stay_out(tmp_path: Path) -> None:
    """So does version control."""
    fill(tmp_path, "a.py", "__pycache__/a.pyc", ".git/config", "sub/__pycache__/x.py", "a.py~")
    fill(tmp_path, "function.yaml")
    made = package_of(tmp_path, without=[tmp_path / "function.yaml"])
    assert names(made.content) == ["a.py"]


def test_compiled_modules_are_code(tmp_path: Path) -> None:
    """Only `__pycache__` is a cache: Lambda imports an `index.pyc` that has no source."""
    fill(tmp_path, "index.pyc")
    assert names(package_of(tmp_path).content) == ["index.pyc"]


@pytest.mark.parametrize("path", ["fn", "./fn", "fn/", "fn/../fn", "."])
def test_a_relative_folder_is_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    fill(tmp_path / "fn", "index.py", "lib/m.py")
    monkeypatch.chdir(tmp_path / "fn" if path == "." else tmp_path)
    assert names(package_of(Path(path)).content) == ["index.py", "lib/m.py"]


def test_linked_files_and_folders_are_followed(tmp_path: Path) -> None:
    """Once each: a circle of links ends, and is named."""
    fill(tmp_path / "shared", "m.py")
    folder = fill(tmp_path / "fn", "index.py")
    (folder / "shared").symlink_to("../shared")
    (folder / "one.py").symlink_to("../shared/m.py")
    (folder / "again").symlink_to("../shared")
    (tmp_path / "shared" / "up").symlink_to(folder)
    made = package_of(folder)
    assert names(made.content) == ["again/m.py", "index.py", "one.py", "shared/m.py"]
    circle = "a link to a folder that it is in"
    assert made.left_out == {"again/up": circle, "shared/up": circle}


def test_what_is_no_file_is_left_out_and_named(tmp_path: Path) -> None:
    """Links to nowhere, pipes, sockets and names that are no text; locks without a word."""
    fill(tmp_path, "index.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / ".#index.py").symlink_to("somebody@host.1:1")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).write_text("x")
    made = package_of(tmp_path)
    assert names(made.content) == ["index.py"]
    assert made.left_out == {
        "gone.py": "a link to nowhere.py, which is not there",
        "pipe": "neither a file nor a folder",
        "socket": "neither a file nor a folder",
        r"'\udcff.py'": "its name is not UTF-8",
    }


def test_a_file_that_goes_while_it_is_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "index.py", "going.py")
    found = files_of(tmp_path)
    (tmp_path / "going.py").unlink()
    monkeypatch.setattr(package, "files_of", lambda _folder, **_: found)
    assert names(package_of(tmp_path).content) == ["index.py"]


def test_what_can_be_executed_still_can(tmp_path: Path) -> None:
    """A bootstrap, above all."""
    fill(tmp_path, "bootstrap", "data")
    (tmp_path / "bootstrap").chmod(0o700)
    entries = zipfile.ZipFile(io.BytesIO(package_of(tmp_path).content)).infolist()
    modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in entries}
    assert modes == {"bootstrap": 0o755, "data": 0o644}


def test_files_and_zips_are_sources_too(tmp_path: Path) -> None:
    """A zip is taken as it is."""
    fill(tmp_path, "index.py")
    assert names(package_of(tmp_path / "index.py").content) == ["index.py"]
    (tmp_path / "made.zip").write_bytes(zip_of({"x": "y"}))
    assert package_of(tmp_path / "made.zip").content == (tmp_path / "made.zip").read_bytes()


@pytest.mark.parametrize("source", ["empty", "missing"])
def test_nothing_to_deploy_is_usage(tmp_path: Path, source: str) -> None:
    """Exit status 2, with the path."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(Failure, match=source) as failure:
        package_of(tmp_path / source)
    assert failure.value.exit_code == 2


def test_what_did_not_change_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save of one file among many costs one; the bytes are those of a package made anew."""
    fill(tmp_path, "a.py", "b/c.py", "d.py")
    for file in tmp_path.rglob("*.py"):
        os.utime(file, (1_000_000, 1_000_000))
    packages = Packages()
    first = packages.package_of(tmp_path)
    read: list[str] = []
    whole = package._read

    def note(path: Path) -> bytes | None:
        read.append(path.name)
        return whole(path)

    monkeypatch.setattr(package, "_read", note)
    assert packages.package_of(tmp_path) == first
    assert read == []
    (tmp_path / "a.py").write_text("b.py")  # as long as it was, and within a clock's tick perhaps
    assert packages.package_of(tmp_path) == package_of(tmp_path) != first
    assert read[0] == "a.py"
    read.clear()
    (tmp_path / "d.py").unlink()
    (tmp_path / "b/c.py").chmod(0o755)
    assert packages.package_of(tmp_path) == package_of(tmp_path)
    assert "c.py" in read


def test_a_file_that_was_just_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock's tick would hide what is written into it a second time."""
    fill(tmp_path, "a.py")
    now = (tmp_path / "a.py").stat().st_mtime_ns
    monkeypatch.setattr(time, "time_ns", lambda: now)
    packages = Packages()
    packages.package_of(tmp_path)
    read: list[Path] = []

    def note(path: Path) -> bytes:
        read.append(path)
        return b"other"

    monkeypatch.setattr(package, "_read", note)
    packages.package_of(tmp_path)
    assert read == [tmp_path / "a.py"]
