"""Functions of local mode run with a Java that is not older than they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pilotlight_java
from pilotlight.errors import StartFailedError
from pilotlight_local.javas import Javas
from pilotlight_local.languages import Languages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """For which Javas a folder was made; nothing is fetched."""
    made: list[Path] = []

    def make(java: Path, folder: Path) -> None:
        made.append(java)
        (folder / "lib").mkdir(parents=True)
        (folder / "lib" / "options").touch()

    monkeypatch.setattr(pilotlight_java, "make", make)
    return made


def install(folder: Path, version: str) -> Path:
    """Write what answers as a Java of a version does."""
    folder.mkdir(parents=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-10-20' >&2\n")
    java.chmod(0o755)
    return java


def javas(folder: Path, told: list[str], environment: Mapping[str, str]) -> Javas:
    return Javas(
        folder / "cache", told.append, environment=environment, installed=folder / "debian"
    )


@pytest.mark.parametrize(
    ("runtime", "version"),
    [("java21", "21"), ("java17.al2023", "17"), ("java8.al2", "17"), ("java25", "25")],
)
def test_the_nearest_that_is_not_older_is_taken(
    tmp_path: Path, made: list[Path], runtime: str, version: str
) -> None:
    """Wherever it is; the console says where it is not the very version."""
    there = {
        "17": install(tmp_path / "home/bin", "17.0.15"),
        "21": install(tmp_path / "path", "21.0.13"),
        "25": install(tmp_path / "debian/temurin/bin", "25"),
        "7": install(tmp_path / "debian/old/bin", "1.7.0_80"),
    }
    told: list[str] = []
    environment = {"JAVA_HOME": f"{tmp_path}/home", "PATH": f"{tmp_path}/path:/nowhere:"}
    found = javas(tmp_path, told, environment).find(runtime)
    assert (found.version, made) == (version, [there[version]])
    assert any("the nearest" in line for line in told) == (not runtime.startswith(f"java{version}"))


def test_the_client_is_fetched_once(tmp_path: Path, made: list[Path]) -> None:
    """For all platforms of this person."""
    java, told = install(tmp_path / "bin", "21.0.13"), list[str]()
    found = {javas(tmp_path, told, {"PATH": str(java.parent)}).find("java21") for _ in range(2)}
    (one,) = found
    assert one.path.is_relative_to(tmp_path / "cache")
    assert (made, len(told)) == ([java], 1)


def test_an_older_java_is_no_substitute(tmp_path: Path, made: list[Path]) -> None:
    """The error says what was asked for and what is there."""
    install(tmp_path / "bin", "17.0.15")
    with pytest.raises(StartFailedError, match=r"runs java21: no Java .* 21 .*, only 17") as error:
        javas(tmp_path, [], {"PATH": f"{tmp_path}/bin"}).find("java21")
    assert (error.value.reason, made) == ("InvalidRuntime", [])


def test_a_client_that_cannot_be_fetched_is_not_asked_for_at_each_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst of starts asks once, and each is told why."""
    java, told = install(tmp_path / "bin", "21"), list[str]()
    monkeypatch.setattr("shutil.which", lambda *_: None)  # no Maven
    found = javas(tmp_path, told, {"PATH": str(java.parent)})
    for _ in range(2):
        with pytest.raises(StartFailedError, match=r"java21: mvn, Apache Maven, is needed"):
            found.find("java21")
    assert len(told) == 1


def test_java_has_its_language(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    java = install(tmp_path / "bin", "99")
    monkeypatch.setenv("PATH", str(java.parent), prepend=":")
    Languages(tmp_path / "cache", lambda _: None).find("java25")
    assert len(made) == 1
