"""Web servers that know nothing of Lambda, behind the Lambda Web Adapter (docs/web-servers.md).

The adapter is built from its crate, which takes minutes: `make runtimes` runs this, with pods of
KUBECONFIG where there is one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtimes.languages import ON_CLUSTER
from tests.support.cluster import installed
from tests.support.dev_process import DevProcess
from tests.support.http_client import fetch
from tests.support.platform import lambda_client, run_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif("PILOTLIGHT_RUNTIMES" not in os.environ, reason="it takes minutes"),
]
VERSION = "0.9.1"
LANGUAGES = Path(__file__).parents[2] / "languages"
PROJECTS = {"web-flask": "flask", "web-express": "express"}
DOCUMENTED = "arn:aws:lambda:us-east-1:000000000000:layer:web-adapter:1"
CLUSTER = os.environ.get("CLUSTER", "../shared/cluster/cluster")
ROLE = "arn:aws:iam::000000000000:role/any"
IMAGE = "localhost/pilotlight/web-flask:test"
SERVE = ["gunicorn", "--bind", "127.0.0.1:8080", "--worker-tmp-dir", "/tmp", "app:app"]


@pytest.fixture(scope="module")
def adapter() -> Path:
    """Build the adapter's program, once for this machine."""
    root = Path.home() / f".cache/pilotlight/web-adapter-{VERSION}"
    program = root / "bin/lambda-adapter"
    if not program.exists():
        crate = ("lambda_web_adapter", "--version", VERSION, "--locked")
        subprocess.run(["cargo", "install", *crate, "--root", root], check=True)
    return program


@pytest.fixture(scope="module")
def layer(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Pack it as its layer: the extension, and the wrapper that starts the handler instead."""
    archive = tmp_path_factory.mktemp("layer") / "web-adapter.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(adapter, "extensions/lambda-adapter")
        wrapper = zipfile.ZipInfo("bootstrap")
        wrapper.external_attr = 0o755 << 16
        file.writestr(wrapper, '#!/bin/sh\nexec "$LAMBDA_TASK_ROOT/$_HANDLER"\n')
    return archive.read_bytes()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installation]:
    """The platform on the cluster of KUBECONFIG."""
    if not ON_CLUSTER:
        pytest.skip("PILOTLIGHT_CONFORMANCE=cluster tries it in pods")
    with installed() as platform:
        yield platform


@dataclass(frozen=True)
class Site:
    """A web server as a browser meets it."""

    port: int
    root: str

    def answers(self) -> None:
        """See pages, a form, an error and an answer that is written slowly."""
        assert fetch(self.port, f"{self.root}/?name=you").json() == {"hello": "you"}
        told = {"X-Customer": "me", "Content-Type": "application/json"}
        ordered = fetch(
            self.port, f"{self.root}/orders", method="POST", headers=told, body=b'{"n": 1}'
        )
        assert (ordered.status, ordered.json()) == (201, {"order": {"n": 1}, "for": "me"})
        assert fetch(self.port, f"{self.root}/nowhere").status == 404
        times = {}
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.root}/countdown") as lines:
            for line in lines:
                times[line] = time.monotonic()
        assert list(times) == [b"3\n", b"2\n", b"1\n", b"lift-off\n"]
        assert times[b"lift-off\n"] - times[b"3\n"] > 1, "it came whole, not as it was written"


def project(name: str, layer_arn: str, tmp_path: Path) -> Path:
    """Copy an example, for a layer that has been published."""
    folder = tmp_path / name
    shutil.copytree(LANGUAGES / name, folder)
    manifest = folder / "function.yaml"
    manifest.write_text(manifest.read_text().replace(DOCUMENTED, layer_arn))
    return folder


def publish(client: Any, layer: bytes) -> str:
    """Publish the adapter; gives the version's name."""
    said = client.publish_layer_version(LayerName="web-adapter", Content={"ZipFile": layer})
    arn: str = said["LayerVersionArn"]
    return arn


@pytest.mark.skipif(ON_CLUSTER, reason="that is in pods")
@pytest.mark.parametrize("name", PROJECTS)
def test_on_this_machine(name: str, layer: bytes, tmp_path: Path) -> None:
    """By `dev`: the functions are ready once the layer is published, without another word."""
    folder = project(name, DOCUMENTED, tmp_path)
    with DevProcess("--no-watch", folder, state=tmp_path / "state") as running:
        with lambda_client(running.endpoint) as client:
            assert publish(client, layer) == DOCUMENTED
            wait_for_state(client, PROJECTS[name])
        port = int(running.endpoint.rpartition(":")[2])
        Site(port, f"/-/fn/000000000000/{PROJECTS[name]}").answers()


@pytest.mark.parametrize("name", PROJECTS)
def test_in_a_pod(name: str, cluster: Installation, layer: bytes, tmp_path: Path) -> None:
    """By `apply`, built for the runtime's image."""
    folder = project(name, publish(cluster.client(), layer), tmp_path)
    applied = run_cli(
        *("apply", "-f", folder), endpoint=cluster.endpoint,
        AWS_ACCESS_KEY_ID=cluster.access_key, AWS_SECRET_ACCESS_KEY=cluster.secret_key,
    )  # fmt: skip
    assert applied.returncode == 0, applied.stderr
    wait_for_state(cluster.client(), PROJECTS[name])
    Site(cluster.port, f"/-/fn/{cluster.account_id()}/{PROJECTS[name]}").answers()


def test_an_image_of_a_web_server(cluster: Installation, adapter: Path, tmp_path: Path) -> None:
    """The adapter beside it as an extension; nothing in the image knows of Lambda."""
    folder = project("web-flask", DOCUMENTED, tmp_path)
    shutil.copy(adapter, folder)
    subprocess.run([CLUSTER, "image", folder, IMAGE], check=True)
    client = cluster.client()
    client.create_function(
        FunctionName="imaged-flask", PackageType="Image", Code={"ImageUri": IMAGE}, Role=ROLE,
        ImageConfig={"EntryPoint": SERVE}, Timeout=10, MemorySize=512,
        Environment={"Variables": {"AWS_LWA_INVOKE_MODE": "response_stream"}},
    )  # fmt: skip
    client.create_function_url_config(
        FunctionName="imaged-flask", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    for action, condition in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        client.add_permission(
            FunctionName="imaged-flask", Principal="*", Action=action,
            StatementId=action.rpartition(":")[2], **condition,
        )  # fmt: skip
    wait_for_state(client, "imaged-flask")
    Site(cluster.port, f"/-/fn/{cluster.account_id()}/imaged-flask").answers()


def wait_for_state(client: Any, name: str) -> None:
    """Wait until a function may be called."""
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
