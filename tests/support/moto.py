"""A real moto server of a test's own: SQS, SNS, EventBridge and S3 on 127.0.0.1."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Moto", "running_moto"]

SERVER = Path(sys.prefix) / "moto" / "bin" / "moto_server"
START_SECONDS = 30.0
ACCOUNT = "000000000000"


class Moto:
    """What stands in for AWS."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def client(self, service: str) -> Any:
        """Make a client of a service, in the account that the platform has by default."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )


@contextmanager
def running_moto() -> Iterator[Moto]:
    """Run a server for as long as the block lasts."""
    if not SERVER.exists():
        raise FileNotFoundError(f"no moto server at {SERVER}: run `make setup`")
    port = free_port()
    process = subprocess.Popen(
        [SERVER, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield Moto(port)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the moto server does not listen")
