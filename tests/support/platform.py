"""A local platform for tests: functions to put into it, and clients to ask it with."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from botocore.config import Config

from pilotlight_cli.manifests import SOURCE_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["lambda_client", "manifest", "run_cli", "write_function", "zip_of"]

CLI_SECONDS = 60


@contextmanager
def lambda_client(endpoint: str, *, access_key: str = "test") -> Iterator[Any]:
    """Lend a boto3 client that never repeats a request."""
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
    )
    try:
        yield client
    finally:
        client.close()


def run_cli(
    *arguments: str | Path, endpoint: str = "", given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `pilotlight …` as a user does, against an endpoint."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    if endpoint:
        kept["AWS_ENDPOINT_URL"] = endpoint
    return subprocess.run(
        [sys.executable, "-m", "pilotlight_cli", *map(str, arguments)],
        input=given,
        env=kept | environment,
        capture_output=True,
        check=False,
        timeout=CLI_SECONDS,
    )


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    """Make a function's manifest; code is inline and answers `name` unless the spec says so."""
    inline = f"def handler(event, context):\n    return {name!r}\n"
    return {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {
            "runtime": "python3.13",
            "handler": "index.handler",
            "code": {"inline": inline},
            **spec,
        },
    }


def write_function(folder: Path, name: str, source: str, **spec: Any) -> Path:
    """Write a function whose code is a folder; gives the file of its code."""
    document = manifest(name, **spec)
    document["metadata"]["annotations"] = {SOURCE_ANNOTATION: "./src"}
    del document["spec"]["code"]
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "function.yaml").write_text(yaml.safe_dump(document))
    code = folder / "src" / "index.py"
    code.write_text(source)
    return code


def zip_of(files: dict[str, str]) -> bytes:
    """Make a deployment package."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for name, text in files.items():
            package.writestr(name, text)
    return content.getvalue()
