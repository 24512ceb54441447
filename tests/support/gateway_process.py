"""A gateway in a process of its own, whose memory can be looked at: `GatewayProcess`.

It verifies signatures, and forgets log lines but for those that tell of missing ones.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import structlog
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from pilotlight_gateway.auth.access_keys import AccessKey, AccessKeys
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness, MemoryLogs, package, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight.storage import LogLine

__all__ = ["GatewayProcess"]

KEY, SECRET = "AKIDTEST", "secret"
ENVIRONMENTS = 20


class GatewayProcess:
    """Runs from its making to `close`; its account may have so many `environments`."""

    def __init__(self, folder: Path, environments: int = ENVIRONMENTS) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", __name__, str(folder), str(environments)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._told = self._process.stdout
        self.port = int(self._line("port "))

    def client(self, key: str = KEY) -> Any:
        """Make a boto3 client that never retries."""
        return boto3.client(
            "lambda",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 0}, read_timeout=100, max_pool_connections=50),
        )

    def create(self, name: str, source: str, **members: Any) -> None:
        """Create a function and wait until it is Active."""
        client = self.client()
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/test",
            Code={"ZipFile": package({"index.py": source})},
            **members,
        )
        wait_for(client, "function_active_v2", FunctionName=name)

    def signed(self, function: str) -> bytes:
        """Return a whole request that invokes a function."""
        host = f"127.0.0.1:{self.port}"
        url = f"http://{host}/2015-03-31/functions/{function}/invocations"
        request = AWSRequest("POST", url, data=b"{}", headers={"Host": host})
        SigV4Auth(Credentials(KEY, SECRET), "lambda", REGION).add_auth(request)
        lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        path = url.partition(host)[2]
        return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode()

    def peak_megabytes(self) -> int:
        """Return the most memory that it ever had in RAM."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def wait_for_dropped(self) -> str:
        """Wait for a line that tells of missing ones."""
        return self._line("dropped ")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._told.close()

    def _line(self, start: str) -> str:
        for line in self._told:
            if line.startswith(start):
                return line.removeprefix(start)
        raise AssertionError(f"the gateway ended before it said {start!r}")


class _Forgetting(MemoryLogs):
    """Keeps nothing: what is measured is the gateway."""

    async def append(self, lines: Sequence[LogLine]) -> None:
        for line in lines:
            if line.message.startswith("PILOTLIGHT "):
                print("dropped", line.message, flush=True)  # noqa: T201  for who started it


class _OneKey:
    """The only key there is."""

    async def find(self, access_key: str) -> AccessKey | None:
        return AccessKey(KEY, SECRET, "default", ACCOUNT) if access_key == KEY else None


def main() -> None:
    """Serve until the standard input ends."""
    # What it tells of itself must not fill the pipe of what is told to who started it.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    authenticator = SigV4Authenticator(cast("AccessKeys", _OneKey()), REGION)
    harness = GatewayHarness(
        Path(sys.argv[1]), limit=int(sys.argv[2]), authenticator=authenticator,
        logs=_Forgetting(),
    )  # fmt: skip
    print("port", harness.port, flush=True)  # noqa: T201  for who started it
    sys.stdin.read()
    harness.close()


if __name__ == "__main__":
    main()
