"""Requirements are one flat list, whatever includes and folders they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight_cli.builders.requirements import Local, read_requirements
from pilotlight_cli.failures import Failure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a library and a wheel of its own beside it."""
    folder = tmp_path / "a project"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "setup.py").write_text("setup")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "own-1-py3-none-any.whl").write_text("wheel")
    return folder


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ()),
        ("# nothing\n\n   \n", ()),
        ("requests==2.32.3  # the usual\nnumpy>=1,<3", ("requests==2.32.3", "numpy>=1,<3")),
        ("a==1 \\\n  --hash=sha256:11 \\\n  --hash=sha256:22\nb", (
            "a==1 --hash=sha256:11 --hash=sha256:22", "b")),
        ("--index-url https://a.example/simple\n-i https://b.example", (
            "--index-url https://a.example/simple", "-i https://b.example")),
        ("--pre\n--no-binary :all:", ("--pre", "--no-binary :all:")),
        ("-r https://a.example/r.txt", ("-r https://a.example/r.txt",)),
        ("a @ git+https://a.example/a#egg=a", ("a @ git+https://a.example/a#egg=a",)),
        ("-e git+https://a.example/a", ("git+https://a.example/a",)),
        ("a[b,c]; python_version < '3.11'", ("a[b,c]; python_version < '3.11'",)),
    ],
)  # fmt: skip
def test_lines(project: Path, text: str, lines: tuple[str, ...]) -> None:
    (project / "requirements.txt").write_text(text)
    assert read_requirements(project / "requirements.txt").lines == lines


@pytest.mark.parametrize(
    ("line", "before", "place", "after"),
    [
        ("./lib", "", "lib", ""),
        ("lib/", "", "lib", ""),
        ("-e ./lib", "", "lib", ""),
        ("-e./lib", "", "lib", ""),
        ("--editable=lib/", "", "lib", ""),
        (".", "", ".", ""),
        ("-e .[extra]", "", ".", "[extra]"),
        ("file:lib", "", "lib", ""),
        ("own @ ./lib ; python_version > '3'", "own @ ", "lib", " ; python_version > '3'"),
        ("../beside/own-1-py3-none-any.whl", "", "../beside/own-1-py3-none-any.whl", ""),
        ("-f ../beside", "--find-links ", "../beside", ""),
        ("--find-links=../beside", "--find-links ", "../beside", ""),
        ("-c lib/setup.py", "--constraint ", "lib/setup.py", ""),
    ],
)
def test_what_lies_on_this_machine(
    project: Path, line: str, before: str, place: str, after: str
) -> None:
    """Its content is what is installed; editable or not is the same."""
    (project / "requirements.txt").write_text(line)
    found = read_requirements(project / "requirements.txt")
    assert found.lines == (Local(before, (project / place).resolve(), after),)
    key = found.key
    assert read_requirements(project / "requirements.txt").key == key
    for changed in (project / "lib" / "setup.py", *project.parent.glob("beside/*.whl")):
        changed.write_text("other")
    assert read_requirements(project / "requirements.txt").key != key


def test_included_files_say_places_from_where_they_are(project: Path) -> None:
    (project / "requirements").mkdir()
    (project / "requirements" / "base.txt").write_text("a==1\n-r../more.txt\n../lib")
    (project / "more.txt").write_text("b==2")
    (project / "requirements.txt").write_text("--requirement=requirements/base.txt\nc==3")
    found = read_requirements(project / "requirements.txt")
    assert found.lines == ("a==1", "b==2", Local("", project / "lib"), "c==3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n\n-r missing.txt", r"requirements\.txt:3: -r missing\.txt: there is no such file"),
        ("./nowhere", r"requirements\.txt:1: \./nowhere is neither a file nor a folder"),
        ("a \\\n\n-e ../gone", r"requirements\.txt:3: \.\./gone is neither"),
        ("-r requirements.txt", r"requirements\.txt:1: .* includes this one"),
    ],
)
def test_a_mistake_has_its_file_and_line(project: Path, text: str, said: str) -> None:
    (project / "requirements.txt").write_text(text)
    with pytest.raises(Failure, match=said):
        read_requirements(project / "requirements.txt")


def test_a_file_that_is_no_text(project: Path) -> None:
    (project / "requirements.txt").write_bytes(b"\xff\xfea\0")
    with pytest.raises(Failure, match=r"requirements\.txt: UTF-8 is expected"):
        read_requirements(project / "requirements.txt")
