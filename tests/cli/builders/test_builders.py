"""Every builder calls its language's tool as that is told to build for the platform.

The tools are stand-ins that write down what they were asked and make what they would; that the real
ones do the same, `docs/cli.md` says how to see.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pilotlight_cli.builders import Target, rust
from pilotlight_cli.failures import Failure
from tests.cli.builders.projects import project
from tests.support.packed import read_package
from tests.support.platform import write_function

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pilotlight_cli.builders import Packager

GO, GO_ARM = Target("provided.al2023", "x86_64"), Target("provided.al2023", "arm64")
NODE, RUBY = Target("nodejs22.x", "x86_64"), Target("ruby3.3", "x86_64")
PROGRAM = r"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\076\0"
"""How an executable for x86_64 begins, as printf writes it."""


def test_go(tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]) -> None:
    """The program is the whole package; for another processor it has to be one."""
    asked = tool("go", f"while [ $1 != -o ]; do shift; done; printf '{PROGRAM}' > $2")
    folder = project(tmp_path / "a go", {"go.mod": "module a", "main.go": "package main"})
    assert list(read_package(packager.package_of(folder, GO))) == ["bootstrap"]
    assert asked.read_text().startswith("amd64  build -trimpath -buildvcs=false")
    with pytest.raises(Failure, match=r"go\.mod: .* no program for Linux arm64 came of it"):
        packager.package_of(folder, GO_ARM)
    assert "\narm64 " in asked.read_text()


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (["one"], "one"),
        (["one", "bootstrap"], "bootstrap"),
        (["one", "two"], "makes the programs one, two: one of them"),
        ([], "makes no program"),
    ],
)
def test_rust(
    tmp_path: Path,
    packager: Packager,
    tool: Callable[[str, str], Path],
    made: list[str],
    found: str,
) -> None:
    """Cargo says which programs it made."""
    messages = ['{"reason": "build-finished"}', "text of a build script"]
    for name in made:
        program = os.fspath(tmp_path / name)
        messages.append(
            json.dumps(
                {"reason": "compiler-artifact", "executable": program, "target": {"name": name}}
            )
        )
    (tmp_path / "said").write_text("\n".join(messages))
    makes = [f"printf '{PROGRAM}{name}' > {tmp_path}/{name}" for name in made]
    tool("cargo", "\n".join([*makes, f"cat {tmp_path}/said"]))
    folder = project(tmp_path / "rust", {"Cargo.toml": "[package]"})
    if found not in made:
        with pytest.raises(Failure, match=found):
            packager.package_of(folder, GO)
        return
    assert read_package(packager.package_of(folder, GO))["bootstrap"].endswith(found)


@pytest.mark.parametrize(
    ("system", "machine", "triple"),
    [
        ("linux", "x86_64", None),
        ("linux", "arm64", "x86_64-unknown-linux-gnu"),
        ("darwin", "x86_64", "x86_64-unknown-linux-gnu"),
    ],
)
def test_rust_for_another_machine(
    tmp_path: Path,
    packager: Packager,
    tool: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    machine: str,
    triple: str | None,
) -> None:
    """Another system is one, too; what another one needs is no advice for this one."""
    monkeypatch.setattr(rust, "this_machine", lambda: machine)
    monkeypatch.setattr("sys.platform", system)
    asked = tool("cargo", "echo 'error: linking with `cc` failed' >&2; exit 1")
    with pytest.raises(Failure) as failure:
        packager.package_of(project(tmp_path / "rust", {"Cargo.toml": "[package]"}), GO)
    advice = f"rustup target add {triple}"
    assert ("rustup" in failure.value.message, advice in failure.value.message) == (
        (triple is not None,) * 2
    )
    assert asked.read_text().partition(" --target ")[2].strip() == (triple or "")


INSTALLED = """mkdir -p node_modules/a node_modules/.bin
echo a > node_modules/a/index.js
ln -s ../a/index.js node_modules/.bin/a
"""


def test_node(tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]) -> None:
    """Its lock is kept to; what is installed in the folder, and its tokens, stay out."""
    asked = tool("npm", f"{INSTALLED}test -f ../lib/index.js && test -f .npmrc")
    files = {
        "index.mjs": "code",
        "package.json": '{"dependencies": {"a": "1", "lib": "file:../lib"}}',
        "package-lock.json": '{"packages": {"": {}, "../lib": {}, "node_modules/a": {}}}',
        ".npmrc": "token",
        "node_modules/old/index.js": "old",
    }
    folder = project(tmp_path / "a node", files)
    project(tmp_path / "lib", {"index.js": "lib", "node_modules/x/index.js": "x"})
    names = list(read_package(packager.package_of(folder, NODE)))
    assert names == ["index.mjs", "node_modules/a/index.js", "package-lock.json", "package.json"]
    assert asked.read_text().split() == [
        "ci", "--omit=dev", "--no-audit", "--no-fund", "--no-progress", "--os=linux", "--cpu=x64",
        "--libc=glibc",
    ]  # fmt: skip
    assert sorted(folder.rglob("*.js")) == [folder / "node_modules/old/index.js"]
    (tmp_path / "lib" / "index.js").write_text("changed")
    packager.package_of(folder, NODE)
    packager.package_of(folder, NODE)
    assert asked.read_text().count("ci ") == 2


@pytest.mark.parametrize("script", ["preinstall", "install", "postinstall", "prepare"])
def test_scripts_of_a_node_project_find_its_files(
    tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path], script: str
) -> None:
    """Patches that are not there, say, would just not be applied."""
    asked = tool("npm", f"{INSTALLED}cp patches/a.patch node_modules/a/index.js\n"
                 "test ! -e node_modules/old && test ! -e w/node_modules")  # fmt: skip
    said = {"workspaces": ["w"], "dependencies": {"a": "1"}, "scripts": {script: "patch-package"}}
    files = {"package.json": json.dumps(said), "patches/a.patch": "one", "w/package.json": "{}"}
    old = {"node_modules/old/index.js": "old", "w/node_modules/old/index.js": "old"}
    folder = project(tmp_path / "node", files | old)
    for text in ("one", "two", "two"):
        project(folder, {"patches/a.patch": text})
        made = read_package(packager.package_of(folder, NODE))
        assert made["node_modules/a/index.js"] == text
    assert asked.read_text().count("install ") == 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"package.json": "{"}, r"package\.json: no JSON"),
        ({"package.json": "[]"}, r"package\.json: a JSON object is expected"),
        ({"package.json": '{"dependencies": ["a"]}'}, "dependencies: an object is expected"),
        ({"package.json": '{"dependencies": {"a": "file:../a"}}'}, r"\.\./a is neither"),
        ({"package.json": '{"dependencies": {"a": "file:/tmp"}}'},
         r"package\.json: /tmp is a path of this machine alone.*such as file:\.\./tmp"),
        ({"package.json": '{"dependencies": {"a": "1"}}', "yarn.lock": ""}, "yarn.lock is Yarn's"),
        ({"package.json": '{"dependencies": {"a": "1"}}', "package-lock.json": "x"},
         r"package-lock\.json: no JSON"),
    ],
)  # fmt: skip
def test_a_node_project_that_cannot_be_built(
    tmp_path: Path,
    packager: Packager,
    tool: Callable[[str, str], Path],
    files: dict[str, str],
    said: str,
) -> None:
    tool("npm", INSTALLED)
    with pytest.raises(Failure, match=said):
        packager.package_of(project(tmp_path / "node", files), NODE)


def test_packages_for_development_alone_are_not_built(tmp_path: Path, packager: Packager) -> None:
    """Nor is a manifest that only says what kind modules are of."""
    files = {"package.json": '{"type": "module", "devDependencies": {"a": "1"}}', "index.js": ""}
    folder = project(tmp_path / "node", files)
    assert list(read_package(packager.package_of(folder, NODE))) == ["index.js", "package.json"]


def test_ruby(tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]) -> None:
    """Gems lie where Lambda looks for them; another Ruby's would not be found."""
    tool("ruby", "printf 3.3.8")
    gems = "vendor/bundle/ruby/3.3.0"
    asked = tool("bundle", f"mkdir -p {gems}/gems/a {gems}/bin; echo a > {gems}/gems/a/a.rb; "
                 f"echo a > {gems}/bin/a")  # fmt: skip
    folder = project(tmp_path / "ruby", {"Gemfile": "gem 'a'", "index.rb": "code"})
    names = list(read_package(packager.package_of(folder, RUBY)))
    assert names == ["Gemfile", "index.rb", f"{gems}/gems/a/a.rb"]
    assert asked.read_text().split() == ["vendor/bundle", "install"]
    assert not (folder / "vendor").exists()
    with pytest.raises(
        Failure, match=r"ruby3\.2 wants its gems installed by Ruby 3\.2, .* 3\.3\.8"
    ):
        packager.package_of(folder, Target("ruby3.2", "x86_64"))


def test_settings_of_bundler(
    tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]
) -> None:
    """Those of the folder come before variables: of them only those of gems' servers are used."""
    tool("ruby", "printf 3.3.8")
    tool("bundle", f"mkdir -p vendor/bundle && cp .bundle/config vendor/bundle/used\n"
         f"cp .bundle/config {tmp_path}/used")  # fmt: skip
    token = 'BUNDLE_GEMS__EXAMPLE: "user:secret"\n'
    config = (
        f'---\nBUNDLE_PATH: "elsewhere"\nBUNDLE_PATH__SYSTEM: "true"\n{token}'
        'BUNDLE_WITHOUT:\n  - "test"\nBUNDLE_JOBS: "2"\nBUNDLE_FROZEN: "true"\n'
    )
    folder = project(tmp_path / "ruby", {"Gemfile": "gem 'a'", ".bundle/config": config})
    names = list(read_package(packager.package_of(folder, RUBY)))
    assert names == ["Gemfile", "vendor/bundle/used"]
    assert (tmp_path / "used").read_text() == f'---\n{token}BUNDLE_JOBS: "2"\n'
    assert (folder / ".bundle/config").read_text() == config


@pytest.mark.parametrize(
    ("manifest", "target", "said"),
    [
        ("go.mod", GO, "wants go, .* install it"),
        ("Cargo.toml", GO, "wants cargo, .*rustup"),
        ("pom.xml", Target("java21", "x86_64"), "wants mvn, .*Maven"),
        ("package.json", NODE, "wants npm, .*Node"),
        ("Gemfile", RUBY, "wants bundle, .*Bundler"),
        ("uv.lock", Target("python3.13", "x86_64"), "wants uv, .*pip install uv"),
    ],
)
def test_a_tool_that_is_missing(
    tmp_path: Path,
    packager: Packager,
    monkeypatch: pytest.MonkeyPatch,
    manifest: str,
    target: Target,
    said: str,
) -> None:
    """Which, for what, how to get it, and how to do without; --no-build never asks for it."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    asks = {"package.json": '{"dependencies": {"a": "1"}}', "Gemfile": "gem 'a'"}
    folder = project(tmp_path / "it", {manifest: asks.get(manifest, "")})
    with pytest.raises(Failure, match=rf"{manifest} {said}.*--no-build"):
        packager.package_of(folder, target)
    assert list(read_package(packager.package_of(folder, target, build=False))) == [manifest]


def test_a_failed_build_shows_its_log_and_leaves_nothing(
    tmp_path: Path,
    packager: Packager,
    tool: Callable[[str, str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every line as it comes; the last ones again in the failure, without colours."""
    said = "printf '\\033[31mE404\\n' >&2; for n in $(seq 30); do echo line $n; done"
    tool("npm", f"{said}; exit 3")
    folder = project(tmp_path / "it", {"package.json": '{"dependencies": {"a": "1"}}'})
    with pytest.raises(Failure) as failure:
        packager.package_of(folder, NODE)
    first, *lines, advice = failure.value.format_message().splitlines()
    assert first == "npm failed with status 3:"
    assert lines == [f"  line {number}" for number in range(19, 31)]
    assert advice == "a name or a version is not there: look at package.json"
    assert "  E404\n  line 1\n" in capsys.readouterr().err
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_build_that_is_stopped_ends_with_all_that_it_started(
    tmp_path: Path, packager: Packager, tool: Callable[[str, str], Path]
) -> None:
    """As Ctrl-C does it: the tool waits for a child that waits for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tool("npm", f"sh -c 'echo running; sleep 20; echo late' > {pipe} & wait")
    folder = project(tmp_path / "it", {"package.json": '{"dependencies": {"a": "1"}}'})

    def interrupt() -> None:
        with pipe.open() as opened:
            assert opened.readline() == "running\n"
            packager.workshop.tools.stop()
            assert opened.read() == ""  # nobody holds the other end any more

    with ThreadPoolExecutor(1) as pool:
        interrupted = pool.submit(interrupt)
        with pytest.raises(Failure, match="npm failed with status -9"):
            packager.package_of(folder, NODE)
        interrupted.result()
    assert [*(tmp_path / "cache").iterdir()] == []
    with pytest.raises(Failure, match="the build was stopped"):
        packager.package_of(folder, NODE)


def test_builds_where_the_system_has_no_locks_and_no_groups_of_processes(
    tmp_path: Path, tool: Callable[[str, str], Path]
) -> None:
    """As on Windows: a command is imported, builds, and ends a tool that runs."""
    tool("go", f"while [ $1 != -o ]; do shift; done; printf '{PROGRAM}' > $2")
    folder = project(tmp_path / "go", {"go.mod": "module a"})
    command = [sys.executable, "-c", AS_ON_WINDOWS, str(folder), str(tmp_path / "cache")]
    assert subprocess.check_output(command) == b"built\nended\n"


AS_ON_WINDOWS = """
import os, pathlib, signal, subprocess, sys
sys.modules["fcntl"] = None
del os.killpg, signal.SIGKILL
from pilotlight_cli.builders import Packager, Target, Workshop, tool
from pilotlight_cli.commands import deploy
_, source, cache = map(pathlib.Path, sys.argv)
Packager(Workshop(cache)).package_of(source, Target("provided.al2023", "x86_64"))
print("built")
with subprocess.Popen(["sleep", "20"]) as process:
    process.kill = process.terminate
    tool._kill(process)
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_leaves_nothing(
    tmp_path: Path, tool: Callable[[str, str], Path], number: signal.Signals
) -> None:
    """Neither files nor processes, whichever way it is ended."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tool("npm", f"sh -c 'echo running; sleep 20; echo late' > {pipe} & wait")
    code = write_function(tmp_path / "it", "it", "")
    (code.parent / "package.json").write_text('{"dependencies": {"a": "1"}}')
    manifest = tmp_path / "it" / "function.yaml"
    manifest.write_text(manifest.read_text().replace("python3.13", "nodejs22.x"))
    command = [sys.executable, "-m", "pilotlight_cli", "apply", "-f", str(manifest)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "caches")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        with pipe.open() as opened:
            assert opened.readline() == "running\n"
            process.send_signal(number)
            assert opened.read() == ""  # nobody holds the other end any more
        assert process.wait() == 130
    assert [*(tmp_path / "caches").glob("pilotlight/builds/*")] == []
