"""Functions that are container images, run by the tools for containers that this machine has."""

from __future__ import annotations

import base64
import json
import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from botocore.exceptions import WaiterError

from pilotlight_local.containers.engines import ENGINES
from tests.support.containers import FunctionImage, work
from tests.support.dev_process import DevProcess
from tests.support.platform import lambda_client, manifest, run_cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20.0
TIMEOUT = 3
SOON = {"Delay": 0.1, "MaxAttempts": 300}
ROLE = "arn:aws:iam::000000000000:role/any"


class Imaged:
    """A platform with a function whose image can be built anew."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine = engine
        self.image = FunctionImage(engine, folder / "image")
        self.state = folder / "state"
        self.manifest = folder / "hello.yaml"
        self._open = ExitStack()

    def start(self) -> None:
        """Start the platform, on what it left if it ran before."""
        self._open.close()
        dev = DevProcess(self.manifest, "--engine", self.engine, state=self.state)
        self.dev = self._open.enter_context(dev)
        self.client = self._open.enter_context(lambda_client(self.dev.endpoint))

    def close(self) -> None:
        """End the platform, and see that it leaves nothing behind."""
        assert self.dev.stop() == 0
        assert self.image.containers("pilotlight-hello-") == []
        self._open.close()
        self.image.remove()

    def call(self, name: str = "hello", qualifier: str = "$LATEST", **event: Any) -> Any:
        """Call a function, and give its answer."""
        return self.call_and_tail(name, qualifier, **event)[0]

    def call_and_tail(
        self, name: str = "hello", qualifier: str = "$LATEST", **event: Any
    ) -> tuple[Any, str]:
        """Call a function; gives its answer and the log's tail."""
        answer = self.client.invoke(
            FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event), LogType="Tail"
        )
        return json.load(answer["Payload"]), base64.b64decode(answer["LogResult"]).decode()

    def create(self, name: str, **config: Any) -> None:
        """Create another function of the same image by the API."""
        self.client.create_function(
            FunctionName=name, PackageType="Image", Code={"ImageUri": self.image.name},
            Role=ROLE, ImageConfig=config,
        )  # fmt: skip
        self.client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def imaged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Imaged]:
    """Return a platform whose images one tool runs; each tool that works here in turn."""
    work(request.param)
    folder = tmp_path_factory.mktemp("imaged")
    (folder / "image").mkdir()
    imaged = Imaged(request.param.name, folder)
    imaged.image.build(1)
    code = {"image": imaged.image.name}
    spec = {"runtime": None, "handler": None, "timeout": TIMEOUT, "environment": {"OWN": "yes"}}
    imaged.manifest.write_text(yaml.safe_dump(manifest("hello", code=code, **spec)))
    imaged.start()
    yield imaged
    imaged.close()


def test_an_image_answers_with_its_own_variables_and_folder(imaged: Imaged) -> None:
    """As a user without rights, who writes to /tmp alone, and finds the platform at its port."""
    answer, tail = imaged.call_and_tail(n=1)
    assert (answer["event"], answer["folder"], answer["user"]) == ({"n": 1}, "/function", 993)
    variables = answer["variables"]
    assert (variables["COLOUR"], variables["OWN"]) == ("green", "yes")
    assert variables["AWS_ENDPOINT_URL_LAMBDA"] == imaged.dev.endpoint
    assert not any(name.startswith("PILOTLIGHT_AGENT") for name in variables)
    assert "REPORT RequestId" in tail
    _, *refused = written = imaged.call(do="write", paths=["/tmp/x", "/function/x", "/x"])
    assert written[0] == "written"
    assert set(refused) <= {"Read-only file system", "Permission denied"}


def test_a_timeout_ends_all_its_processes(imaged: Imaged) -> None:
    """And the environment goes on with new ones; so it does after a crash and too much memory."""
    answer, tail = imaged.call_and_tail(do="sleep")
    assert answer["errorType"] == "Sandbox.Timedout"
    assert f"Task timed out after {TIMEOUT}.00 seconds" in tail
    processes = imaged.call(do="processes")
    assert not any("time.sleep(600)" in one for one in processes)
    answer, tail = imaged.call_and_tail(do="exit")
    assert answer["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert "about to exit" in tail
    answer, tail = imaged.call_and_tail(do="fill", megabytes=400)
    assert answer["errorMessage"].endswith("signal: killed")
    assert "Runtime.OutOfMemory" in tail
    assert imaged.call(n=2)["event"] == {"n": 2}


def test_how_it_starts_may_be_said(imaged: Imaged) -> None:
    """And what does not start is told in Lambda's words."""
    imaged.create("folder", WorkingDirectory="/python")
    assert imaged.call("folder")["folder"] == "/python"
    for name, config, error in (
        ("program", {"EntryPoint": ["/nothing/here"]}, "Runtime.InvalidEntrypoint"),
        ("nowhere", {"WorkingDirectory": "/nowhere"}, "Runtime.InvalidWorkingDir"),
        ("ends", {"Command": ["-c", "pass"]}, "Runtime.ExitError"),
    ):
        imaged.create(name, **config)
        assert imaged.call(name)["errorType"] == error


def test_content_is_pinned(imaged: Imaged) -> None:
    """A tag that moves changes nothing until the function is told; and no version ever."""
    imaged.create("pinned")
    client = imaged.client
    first = client.publish_version(FunctionName="pinned")
    imaged.image.build(2)
    assert imaged.call("pinned")["build"] == 1
    client.update_function_code(FunctionName="pinned", ImageUri=imaged.image.name)
    client.get_waiter("function_updated_v2").wait(FunctionName="pinned", WaiterConfig=SOON)
    assert imaged.call("pinned")["build"] == 2
    assert imaged.call("pinned", first["Version"])["build"] == 1
    found = client.get_function(FunctionName="pinned")
    digest = found["Configuration"]["CodeSha256"]
    assert digest != first["CodeSha256"]
    name = imaged.image.name.removesuffix(":1")
    assert found["Code"]["ResolvedImageUri"] == f"{name}@sha256:{digest}"


def test_what_is_wrong_with_an_image_stands_in_its_state(imaged: Imaged) -> None:
    """Before anybody calls."""
    client = imaged.client
    client.create_function(
        FunctionName="absent", PackageType="Image", Role=ROLE,
        Code={"ImageUri": "localhost/pilotlight-test-absent:1"},
    )  # fmt: skip
    with pytest.raises(WaiterError):
        client.get_waiter("function_active_v2").wait(FunctionName="absent", WaiterConfig=SOON)
    found = client.get_function_configuration(FunctionName="absent")
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidImage")
    assert imaged.engine in found["StateReason"]


def test_nothing_outlives_a_platform_that_is_killed(imaged: Imaged) -> None:
    """What runs in its containers ends, and they are gone once the next one has started."""
    imaged.call(n=3)
    agents = _agents_in_images()
    [name] = imaged.image.containers("pilotlight-hello-")
    imaged.dev.kill()
    until(lambda: not agents & _agents_in_images())
    imaged.start()
    until(lambda: imaged.image.containers(name) == [])
    assert imaged.call(n=4)["event"] == {"n": 4}


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _agents_in_images() -> set[int]:
    """Return the processes of this machine that are agents in images."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().startswith(b"/.pilotlight/lib/loader"):
                found.add(int(path.parent.name))
    return found


def test_nothing_here_runs_images(tmp_path: Path) -> None:
    """The function says which tools would do, and how to get one: to Lambda's API and describe."""
    file = tmp_path / "hello.yaml"
    code = {"image": "localhost/any:1"}
    file.write_text(yaml.safe_dump(manifest("hello", code=code, runtime=None, handler=None)))
    variables = {"PATH": str(Path(os.devnull).parent)}
    with (
        DevProcess(file, state=tmp_path / "state", variables=variables) as dev,
        lambda_client(dev.endpoint) as client,
    ):
        found = client.get_function_configuration(FunctionName="hello")
        described = run_cli("describe", "hello", endpoint=dev.endpoint).stdout.decode()
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidConfiguration")
    for said in ("podman: not installed", "docker: not", "buildah: not", "apt-get install podman"):
        assert said in found["StateReason"]
        assert said in described
    assert any("ImagesUnsupported" in line for line in dev.lines)
