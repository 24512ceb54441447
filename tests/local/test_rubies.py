"""Functions of local mode run with the Ruby that they ask for, and with no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError
from pilotlight_local.environments import Interpreter
from pilotlight_local.languages import Languages
from pilotlight_local.rubies import Rubies

if TYPE_CHECKING:
    from pathlib import Path


def install(ruby: Path, version: str) -> Path:
    """Write what answers as a Ruby of a version does."""
    ruby.parent.mkdir(parents=True, exist_ok=True)
    ruby.write_text(f"#!/bin/sh\necho 'ruby {version} (2026-04-09 revision b2) [x86_64-linux]'\n")
    ruby.chmod(0o755)
    return ruby


@pytest.mark.parametrize(
    "place", ["bin/ruby", "bin/ruby3.3", "home/.rbenv/versions/3.3.8/bin/ruby"]
)
def test_the_very_version_is_taken(tmp_path: Path, place: str) -> None:
    """Wherever it is, and whatever other one comes before it."""
    install(tmp_path / "first/ruby", "3.1.2")
    ruby = install(tmp_path / place, "3.3.8")
    path = f"{tmp_path}/nowhere:{tmp_path}/first:{tmp_path}/bin"
    rubies = Rubies({"PATH": path, "HOME": f"{tmp_path}/home"})
    assert rubies.find("ruby3.3") == Interpreter(ruby, "3.3.8")


def test_another_version_is_no_substitute(tmp_path: Path) -> None:
    """The start says so; a Ruby that is installed then is found."""
    install(tmp_path / "ruby", "3.4.1")
    rubies = Rubies({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    with pytest.raises(StartFailedError, match=r"runs ruby3\.3: no ruby 3\.3 on") as error:
        rubies.find("ruby3.3")
    assert error.value.reason == "InvalidRuntime"
    install(tmp_path / "ruby3.3", "3.3.0")
    assert rubies.find("ruby3.3").version == "3.3.0"


def test_ruby_has_its_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ruby = install(tmp_path / "ruby", "9.9.1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Languages(tmp_path / "cache", lambda _: None).find("ruby9.9").path == ruby
