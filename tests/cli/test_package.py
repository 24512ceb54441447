"""Packages of the command line are the same for the same files."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from pilotlight_cli.failures import Failure
from pilotlight_cli.package import package_of
from tests.support.platform import zip_of

if TYPE_CHECKING:
    from pathlib import Path


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
    fill(tmp_path, "a.py", "__pycache__/a.pyc", "b.pyc", ".git/config", "sub/__pycache__/x.py")
    fill(tmp_path, "function.yaml")
    package = package_of(tmp_path, without=[tmp_path / "function.yaml"])
    assert names(package.content) == ["a.py"]


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
