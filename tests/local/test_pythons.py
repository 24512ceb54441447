"""Functions of local mode run with the Python that they ask for, else with the nearest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pilotlight.runtimes import OWN_PYTHON
from pilotlight_local import pythons as module
from pilotlight_local.environments import Interpreter
from pilotlight_local.pythons import Pythons

OWN = OWN_PYTHON.removeprefix("python")
OTHERS = ("3.98", "3.99")


@pytest.fixture
def told() -> list[str]:
    """What the console says."""
    return []


def pythons(folder: Path, told: list[str], *, own: bool = True) -> Pythons:
    """Make those of a platform, with or without an environment of its own for functions."""
    if own:
        environment(folder / "prefix" / "functions")
    return Pythons(folder / "cache", told.append, prefix=folder / "prefix")


def environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    return python


def test_the_environment_beside_the_platforms_is_taken(tmp_path: Path, told: list[str]) -> None:
    """Its packages are its own, and nothing is made."""
    found = pythons(tmp_path, told).find(OWN_PYTHON)
    assert found == Interpreter(tmp_path / "prefix/functions/bin/python", OWN)
    assert told == []


def test_another_version_gets_an_environment_once(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For all platforms of this person; a half-made one is never in its place."""
    made: list[Path] = []

    def make(interpreter: Path, folder: Path, option: str, requirements: str) -> None:
        assert (interpreter, option) == (Path("/there"), "--requirement")
        assert "boto3" in Path(requirements).read_text()
        made.append(environment(folder))

    monkeypatch.setattr(module, "find_interpreter", lambda _: Path("/there"))
    monkeypatch.setattr(module, "make_environment", make)
    for _ in range(2):
        platforms = Pythons(tmp_path / "cache", told.append, prefix=tmp_path)
        found = [platforms.find("python3.99") for _ in range(2)]
        assert found == [Interpreter(made[0], "3.99")] * 2
    assert len(made) == len(told) == 1
    assert "making an environment with boto3 for python3.99" in told[0]


@pytest.mark.parametrize("there", [True, False])
def test_the_nearest_serves_where_there_is_none(
    tmp_path: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    there: bool,  # noqa: FBT001  a row
) -> None:
    """No such interpreter, or no network for its packages: said once, with the version's name."""

    def fail(*_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(module, "find_interpreter", lambda _: Path("/there") if there else None)
    monkeypatch.setattr(module, "make_environment", fail)
    near = environment(tmp_path / "cache" / "python3.97-abc")
    platform = pythons(tmp_path, told)
    assert [platform.find(f"python{one}") for one in (*OTHERS, *OTHERS)] == [
        Interpreter(near, "3.97")
    ] * 4
    said = [line for line in told if "making" not in line]
    assert len(said) == 2
    assert all("3.97, the nearest" in line for line in said)
    assert ("no network" in said[0]) == there


def test_without_any_functions_share_the_platforms(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an installation on a machine that is away from the network."""

    def fail(*_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(module, "make_environment", fail)
    found = pythons(tmp_path, told, own=False).find(OWN_PYTHON)
    assert found == Interpreter(Path(sys.executable), OWN, shared=True)


def test_functions_that_bring_their_runtime_need_none(tmp_path: Path, told: list[str]) -> None:
    """Nothing is looked for."""
    assert pythons(tmp_path, told).find("provided.al2023").version == OWN
    assert told == []
