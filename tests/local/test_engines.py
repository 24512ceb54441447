"""What tools for containers say of images, and what a function's state says then.

The tools are scripts: what is tried here is what becomes of their words. Real ones run functions in
`test_images`.
"""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.claims import RevisionKey
from pilotlight.compute import PodRequest
from pilotlight.errors import StartFailedError
from pilotlight.registries import RegistryError
from pilotlight.resources import Function, Mount, ObjectMeta
from pilotlight_local.containers.agent_bundle import AgentBundle
from pilotlight_local.containers.engines import Engines
from pilotlight_local.containers.images import LocalImages
from pilotlight_local.containers.pods import ContainerPods, left_behind
from pilotlight_local.subprocesses import SubprocessCompute
from pilotlight_operator.services.images import ImageError, ImagesUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight_local.environments import Interpreter

OWN = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[OWN]
IDENTITY, DIGEST = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
FOUND = {
    "Id": IDENTITY,
    "Architecture": {"x86_64": "amd64", "arm64": "arm64"}[OWN],
    "Config": {"Entrypoint": ["/entry"], "Cmd": ["app.handler"], "Env": ["COLOUR=green"]},
}
IMAGE = "registry.example.com/team/hello:1"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return what puts a script of a tool on the PATH, on which nothing else is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n{script}\n')
        path.chmod(0o755)

    return write


class Bundle(AgentBundle):
    """Files that nobody runs."""

    async def find(self) -> Path:
        return Path("/bundle")


def function(architecture: str = OWN) -> Function:
    """Make a function of an image."""
    spec = {"code": {"image": IMAGE}, "architecture": architecture}
    return Function.model_validate({"metadata": ObjectMeta(name="hello"), "spec": spec})


def images(told: list[str] | None = None) -> LocalImages:
    """Make what is asked."""
    tell = (lambda _: None) if told is None else told.append
    return LocalImages(Engines(tell), Bundle(Path("/nowhere")))


def inspected(**document: Any) -> str:
    """Return a script that knows one image."""
    said = json.dumps([FOUND | document])
    return f"case $1 in image) echo '{said}';; *) echo 1;; esac"


async def test_nobody_is_there(tool: Callable[[str, str], None]) -> None:
    """A client without its daemon is told from one that is not installed."""
    tool("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ImagesUnsupportedError) as raised:
        await images().describe(function(), IMAGE)
    said = str(raised.value)
    assert (
        "podman: not installed; docker: Cannot connect to the Docker daemon; buildah: not" in said
    )
    assert "apt-get install podman" in said
    assert raised.value.state_code == "InvalidConfiguration"
    # Once it is started, it is found.
    tool("docker", inspected())
    assert (await images().describe(function(), IMAGE)).entry_point == ["/entry"]


@pytest.mark.parametrize(
    ("document", "digest"),
    [
        ({}, IDENTITY),
        ({"Id": "a" * 64, "Digest": DIGEST}, DIGEST),  # podman's
        ({"RepoDigests": [f"registry.example.com/team/hello@{DIGEST}"]}, DIGEST),
        (
            {
                "RepoDigests": [
                    f"other.example.com/hello@{IDENTITY}",
                    f"registry.example.com/team/hello@{DIGEST}",
                ]
            },
            DIGEST,
        ),
    ],
)
async def test_an_image_is_known_by_its_registrys_digest(
    tool: Callable[[str, str], None], document: dict[str, Any], digest: str
) -> None:
    """By that of the registry it is named after, else by what the tool calls it."""
    tool("docker", inspected(**document))
    found = await images().describe(function(), IMAGE)
    assert found.digest == digest
    assert (found.entry_point, found.command) == (["/entry"], ["app.handler"])
    assert found.environment == {"COLOUR": "green"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Error: reading manifest 1: manifest unknown", "InvalidImage"),
        ("Error response from daemon: manifest for hello:1 not found", "InvalidImage"),
        ("short-name 'hello' did not resolve to an alias", "InvalidImage"),
        ("pull access denied, repository does not exist or may require login", "ImageAccessDenied"),
        ("Error: reading manifest 1: unauthorized", "ImageAccessDenied"),
        ("dial tcp: lookup registry.example.com: no such host", "ImageAccessDenied"),
    ],
)
async def test_an_image_that_cannot_be_had_says_why(
    tool: Callable[[str, str], None], said: str, code: str
) -> None:
    """In Lambda's words for one that is nowhere, and for one that is refused."""
    tool("podman", f'case $1 in info) ;; *) echo "{said}" >&2; exit 125;; esac')
    told: list[str] = []
    with pytest.raises(RegistryError) as raised:
        await images(told).describe(function(), IMAGE)
    assert raised.value.state_code == code
    assert said.removeprefix("Error: ") in str(raised.value)
    assert told == ["container images run with podman", f"podman pulls {IMAGE}"]


async def test_no_registry_is_asked_for_what_is_this_machines(
    tool: Callable[[str, str], None], tmp_path: Path
) -> None:
    """As a cluster's operator asks none for names that begin with localhost/."""
    tool("podman", "[ $1 = info ]")
    with pytest.raises(RegistryError) as raised:
        await images().describe(function(), "localhost/hello:1")
    assert raised.value.state_code == "InvalidImage"
    assert "pull" not in (tmp_path / "asked").read_text()


async def test_an_image_for_another_processor_is_refused(
    tool: Callable[[str, str], None],
) -> None:
    """And so is a function for one, before anything is fetched."""
    with pytest.raises(RegistryError, match="this machine's") as raised:
        await images().describe(function(OTHER), IMAGE)
    assert raised.value.state_code == "InvalidImage"
    tool("podman", inspected(Architecture="riscv64"))
    with pytest.raises(RegistryError, match="it is for riscv64") as raised:
        await images().describe(function(), IMAGE)
    assert raised.value.state_code == "InvalidImage"


@pytest.mark.parametrize("said", ["", "no JSON", "[]", '[{"Id": 1}]'])
async def test_what_no_tool_says_is_told(tool: Callable[[str, str], None], said: str) -> None:
    """A tool of another kind by the same name breaks nothing."""
    tool("podman", f"echo '{said}'")
    with pytest.raises(ImageError, match="podman says") as raised:
        await images().describe(function(), IMAGE)
    assert raised.value.state_code == "InternalError"


async def test_who_has_an_image_runs_it(tool: Callable[[str, str], None], tmp_path: Path) -> None:
    """Whoever else works, too."""
    tool("podman", "[ $1 = info ]")
    tool("docker", inspected())
    tool("buildah", "exit 1")
    pods = ContainerPods(Engines(lambda _: None), Bundle(tmp_path), 16)
    folder = tmp_path / "pods" / "hello-1"
    shared = Mount(access_point="fsap-1", path="/mnt/shared")
    asked = replace(request(), file_systems=(shared,))
    held = await pods.find(asked.image)
    container = pods.begin(folder, held)
    command = await pods.prepare(container, asked, held, ["--listen", "127.0.0.1:0"])
    assert command[:2] == ["docker", "run"]
    assert command[-2:] == ["--listen", "127.0.0.1:0"]
    assert IDENTITY in command
    assert "--mount=type=bind,source=/mnt/shared,target=/mnt/shared" in command
    # It is written down who runs it, for the next platform if this one is killed.
    [left] = left_behind(tmp_path / "pods")
    assert (left.engine.name, left.name) == ("docker", "pilotlight-hello-1")
    await left.remove()
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "rm --force pilotlight-hello-1"


async def test_a_container_that_does_not_start_says_why(
    tool: Callable[[str, str], None], tmp_path: Path
) -> None:
    """With what the tool said last; and leaves nothing."""
    broken = "*) echo 'Error: crun: cgroups in hybrid mode not supported' >&2; exit 126"
    tool("podman", inspected().replace("*) echo 1", f"info|rm) ;; {broken}"))
    pods = ContainerPods(Engines(lambda _: None), Bundle(tmp_path), 16)
    compute = SubprocessCompute(tmp_path / "pods", b"key", _no_interpreter, pods)
    with pytest.raises(StartFailedError, match="did not start: crun: cgroups in hybrid mode"):
        await compute.start(request(), seconds=10)
    assert list((tmp_path / "pods").iterdir()) == []
    assert "rm --force pilotlight-hello-" in (tmp_path / "asked").read_text()


async def test_a_container_of_another_networks_is_told(
    tool: Callable[[str, str], None], tmp_path: Path
) -> None:
    """Such as that of a daemon on another machine: its agent listens, and nobody reaches it."""
    listens = """*) echo '{"type": "listening", "port": 1}'; read nothing"""
    tool("docker", inspected().replace("*) echo 1", f"version|rm) ;; {listens}"))
    pods = ContainerPods(Engines(lambda _: None), Bundle(tmp_path), 16)
    compute = SubprocessCompute(tmp_path / "pods", b"key", _no_interpreter, pods)
    with pytest.raises(StartFailedError, match="whose host network is this machine's"):
        await compute.start(request(), seconds=1)


def request() -> PodRequest:
    """Ask for a pod of an image."""
    revision = RevisionKey("default", "hello", "1" * 64)
    image = f"registry.example.com/team/hello@{DIGEST}"
    return PodRequest("default", "container-image", 128, 512, revision=revision, image=image)


def _no_interpreter(runtime: str) -> Interpreter:
    raise AssertionError(f"an image needs no interpreter of {runtime}")
