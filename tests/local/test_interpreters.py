"""Where Pythons are found: on the PATH, with uv, with pyenv; and what only seems to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight_local.interpreters import find_interpreter

if TYPE_CHECKING:
    from pathlib import Path


def install(folder: Path, version: str, *, says: str | None = None) -> Path:
    """Write what answers as an interpreter of a version does; None is a shim of nothing."""
    folder.mkdir(parents=True)
    python = folder / f"python{version}"
    answer = "exit 127" if says is None else f"echo {says} $0"
    python.write_text(f"#!/bin/sh\n{answer}\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    "place",
    [
        "bin",
        ".local/share/uv/python/cpython-3.99.1-linux/bin",
        ".pyenv/versions/3.99.0/bin",
        "uv/cpython-3.99.1-linux/bin",
        "pyenv/versions/3.99.0/bin",
    ],
)
def test_each_place_is_looked_at(tmp_path: Path, place: str) -> None:
    """The usual ones, and those that the tools' variables name."""
    python = install(tmp_path / place, "3.99", says="3.99")
    environment = {"HOME": str(tmp_path), "PATH": f"/nowhere:{tmp_path / 'bin'}"}
    if place.startswith("uv"):
        environment["UV_PYTHON_INSTALL_DIR"] = str(tmp_path / "uv")
    if place.startswith("pyenv"):
        environment["PYENV_ROOT"] = str(tmp_path / "pyenv")
    assert find_interpreter("3.99", environment) == python
    assert find_interpreter("3.9", environment) is None


def test_what_does_not_start_or_is_another_is_passed_over(tmp_path: Path) -> None:
    """As pyenv's shims, which are on the PATH whether there is such a version or not."""
    install(tmp_path / "shims", "3.99")
    install(tmp_path / "odd", "3.99", says="3.98")
    python = install(tmp_path / ".pyenv/versions/3.99.0/bin", "3.99", says="3.99")
    path = f"{tmp_path / 'shims'}:{tmp_path / 'odd'}"
    assert find_interpreter("3.99", {"HOME": str(tmp_path), "PATH": path}) == python
