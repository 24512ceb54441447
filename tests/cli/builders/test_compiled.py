"""What was compiled for another machine is said before it is deployed, not when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pilotlight_cli.builders import Packager, Target, Workshop
from pilotlight_cli.builders.tool import Tools
from pilotlight_cli.failures import Failure
from tests.cli.builders.projects import project
from tests.support.packed import read_package

if TYPE_CHECKING:
    from pilotlight_cli.package import Package

X86, ARM = (b"\x7fELF\2\1\1" + bytes(9) + bytes((3, 0, machine, 0)) for machine in (62, 183))
MAC = b"\xcf\xfa\xed\xfe"
GEMS = "vendor/bundle/ruby/3.3.0"
PYTHON, NODE, RUBY = "python3.13", "nodejs22.x", "ruby3.3"
MANIFESTS = {
    NODE: {"package.json": '{"dependencies": {"a": "1"}}'},
    PYTHON: {"requirements.txt": "a"},
    RUBY: {"Gemfile": "gem 'a'"},
}


def built(
    folder: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, file: str, content: bytes
) -> Package:
    """Build a project whose tool makes one file."""

    def install(_tools: Tools, command: list[str], work: Path, **_: object) -> None:
        to = Path(command[command.index("--target") + 1]) if "--target" in command else work
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        (to / file).write_bytes(content)

    monkeypatch.setattr(Tools, "run", install)
    monkeypatch.setattr(Tools, "find", lambda _tools, name, *_: name)
    monkeypatch.setattr(Tools, "ask", lambda *_: "3.3.8")
    packager = Packager(Workshop(folder / "cache"))
    return packager.package_of(
        project(folder / "it", MANIFESTS[runtime]), Target(runtime, "x86_64")
    )


COMPILED = (
    (PYTHON, "a/_a.cpython-313-darwin.so"),
    (PYTHON, "a.abi3.so"),
    (NODE, "node_modules/a/build/Release/a.node"),
    (RUBY, f"{GEMS}/extensions/darwin/3.3.0/a-1/a.bundle"),
    (RUBY, f"{GEMS}/extensions/aarch64-linux/3.3.0/a-1/a.so"),
)


@pytest.mark.parametrize("content", [ARM, MAC], ids=["arm64", "a Mac"])
@pytest.mark.parametrize(("runtime", "file"), COMPILED)
def test_what_is_compiled_for_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, file: str, content: bytes
) -> None:
    """The file is named."""
    with pytest.raises(Failure, match=rf"^{file} is not compiled for Linux x86_64: choose"):
        built(tmp_path, monkeypatch, runtime, file, content)


@pytest.mark.parametrize(
    ("runtime", "file", "content"),
    [
        *((*one, X86) for one in COMPILED),
        (PYTHON, "debugger/attach_linux_arm64.so", ARM),
        (NODE, "node_modules/a/prebuilds/darwin-arm64/a.node", MAC),
        (RUBY, f"{GEMS}/gems/a-1/mac/a.bundle", MAC),
    ],
)
def test_what_comes_compiled_for_several_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, file: str, content: bytes
) -> None:
    """Of those files one is right."""
    assert file in read_package(built(tmp_path, monkeypatch, runtime, file, content))
