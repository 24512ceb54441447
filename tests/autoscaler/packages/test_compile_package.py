"""Bytecode in a package is what the interpreter would have made, where it would have put it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from pilotlight_autoscaler.packages import compile_package as compile_package_module
from pilotlight_autoscaler.packages.compile_package import (
    LEAST_SOURCE,
    compile_package,
    has_enough_source,
)
from pilotlight_wire import archive
from tests.support.agent import pack

if TYPE_CHECKING:
    from pathlib import Path

TAG = sys.implementation.cache_tag
LARGE = "VALUE = 1\n" + "#" * LEAST_SOURCE + "\n"


def package(folder: Path, files: dict[str, str]) -> Path:
    """Make a package."""
    path = folder / "package.zip"
    path.write_bytes(pack(files))
    return path


def compiled(folder: Path, files: dict[str, str]) -> set[str] | None:
    """Compile a package and name what was added; None where nothing was made."""
    source, target = package(folder, files), folder / "compiled.zip"
    if not compile_package(source, target):
        return None
    archive.check(target)
    with zipfile.ZipFile(target) as content:
        assert content.read("main.py").decode() == files["main.py"]
        return set(content.namelist()) - files.keys()


def test_every_module_has_its_bytecode(tmp_path: Path) -> None:
    files = {"main.py": LARGE, "pkg/__init__.py": "", "pkg/part.py": "A = 1", "data.txt": "x"}
    assert compiled(tmp_path, files) == {
        f"__pycache__/main.{TAG}.pyc",
        f"pkg/__pycache__/__init__.{TAG}.pyc",
        f"pkg/__pycache__/part.{TAG}.pyc",
    }


def test_an_interpreter_takes_it_without_a_look_at_the_source(tmp_path: Path) -> None:
    """The source says something else by then, and is named in tracebacks all the same."""
    source = package(tmp_path, {"main.py": LARGE + "def fail(): return 1 / 0\n"})
    assert compile_package(source, tmp_path / "compiled.zip")
    with zipfile.ZipFile(tmp_path / "compiled.zip") as content:
        content.extractall(tmp_path / "task")
    (tmp_path / "task" / "main.py").write_text("VALUE = 2\n")
    told = subprocess.run(
        [sys.executable, "-Bc", "import main; print(main.VALUE); main.fail()"],
        cwd=tmp_path / "task", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout == "1\n"
    assert f'File "{tmp_path}/task/main.py", line 3, in fail' in told.stderr


def test_what_a_package_brings_is_left_alone(tmp_path: Path) -> None:
    own = f"__pycache__/main.{TAG}.pyc"
    files = {"main.py": LARGE, "other.py": LARGE, own: "mine"}
    assert compiled(tmp_path, files) == {f"__pycache__/other.{TAG}.pyc"}


@pytest.mark.parametrize(
    "broken",
    ["print 'python 2'", "def f(:", "a\0b", "(" * 5_000 + ")" * 5_000, "-" * 100_000 + "1"],
    ids=["old", "syntax", "nul", "parentheses", "operators"],
)
def test_what_cannot_be_compiled_has_none(tmp_path: Path, broken: str) -> None:
    files = {"main.py": LARGE, "broken.py": broken}
    assert compiled(tmp_path, files) == {f"__pycache__/main.{TAG}.pyc"}


@pytest.mark.parametrize(
    ("files", "enough"),
    [({"main.py": "A = 1"}, False), ({"index.js": LARGE}, False), ({"main.py": LARGE}, True)],
)
def test_little_source_is_not_worth_it(tmp_path: Path, files: dict[str, str], enough: bool) -> None:  # noqa: FBT001  a table's column
    assert has_enough_source(package(tmp_path, files)) == enough


def test_what_is_no_package_is_not_worth_it(tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(b"no package")
    assert not has_enough_source(tmp_path / "package.zip")


def test_a_package_of_which_nothing_compiles_stays_as_it_is(tmp_path: Path) -> None:
    source = package(tmp_path, {"main.py": "def f(:" + LARGE})
    assert not compile_package(source, tmp_path / "compiled.zip")


def test_the_same_package_gives_the_same_bytes(tmp_path: Path) -> None:
    source = package(tmp_path, {"main.py": LARGE, "pkg/part.py": "A = {1, 2, 'three'}"})
    made = [tmp_path / "one.zip", tmp_path / "two.zip"]
    for target in made:
        assert compile_package(source, target)
    assert made[0].read_bytes() == made[1].read_bytes()


def test_the_process_writes_no_more_than_agents_take(tmp_path: Path) -> None:
    """It fails, and who started it sees that."""
    source, target = package(tmp_path, {"main.py": LARGE}), tmp_path / "compiled.zip"
    less = (
        "import runpy, sys; main = runpy.run_path(sys.argv.pop(1))['main'];"
        f"main.__globals__['OUTPUT_BYTES'] = {source.stat().st_size + 10}; main()"
    )
    told = subprocess.run(
        [sys.executable, "-Ic", less, compile_package_module.__file__, source, target],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode != 0
    assert "File too large" in told.stderr
