"""Inline packages: the file the handler names, the same bytes every time."""

from __future__ import annotations

import io
import zipfile

import pytest

from pilotlight.errors import InvalidResourceError
from pilotlight.packages import inline_package


@pytest.mark.parametrize(
    ("handler", "runtime", "file"),
    [
        ("index.handler", "python3.13", "index.py"),
        ("a.b.handler", "python3.13", "a/b.py"),
        ("dir/mod.fn", "python3.12", "dir/mod.py"),
        ("index.handler", "nodejs22.x", "index.js"),
        ("function.handler", "ruby3.4", "function.rb"),
        ("anything", "provided.al2023", "bootstrap"),
    ],
)
def test_the_file_is_the_handlers(handler: str, runtime: str, file: str) -> None:
    content = inline_package(handler, "source ü", runtime)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert package.namelist() == [file]
        assert package.read(file).decode() == "source ü"
        assert package.getinfo(file).external_attr >> 16 == 0o100755


def test_the_same_source_gives_the_same_bytes() -> None:
    first = inline_package("index.handler", "x = 1", "python3.13")
    assert first == inline_package("index.handler", "x = 1", "python3.13")
    assert first != inline_package("index.handler", "x = 2", "python3.13")


@pytest.mark.parametrize(
    ("handler", "runtime"),
    [
        ("index.handler", "java21"),
        ("index.handler", "dotnet8"),
        ("handler", "python3.13"),
        ("..handler", "python3.13"),
        ("/etc/passwd.handler", "python3.13"),
        ("../up.handler", "python3.13"),
    ],
)
def test_what_cannot_be_inline_is_refused(handler: str, runtime: str) -> None:
    with pytest.raises(InvalidResourceError, match=r"expected|upload"):
        inline_package(handler, "", runtime)
