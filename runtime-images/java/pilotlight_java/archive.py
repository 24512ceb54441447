"""The archive of classes that every function loads: Java maps it instead of reading jars.

What belongs into it a first run shows: the client is given an event of an API that ends then, which
ends it too.
"""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["archive_classes"]

HANDLER = "java.util.HashSet::add"
"""Of Java itself, so that nothing needs a compiler."""
EVENTS = 3
SECONDS = 60.0


def archive_classes(command: Sequence[str]) -> None:
    """Run the client by a command that writes the archive at its end.

    Raises OSError, also where it wrote none, and SubprocessError.
    """
    with tempfile.TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), Api) as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        environment = {
            "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "archive", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "archive",
            "AWS_LAMBDA_LOG_STREAM_NAME": "archive", "_HANDLER": HANDLER,
        }  # fmt: skip
        ended = subprocess.run(  # noqa: S603 -- the Java that is to run the runtime
            [*command, HANDLER], env=environment, cwd=folder,
            capture_output=True, check=False, text=True, timeout=SECONDS,
        )  # fmt: skip
        api.shutdown()
    if Api.answered < EVENTS:
        raise OSError(f"the runtime client answered {Api.answered} events: {ended.stderr.strip()}")


class Api(BaseHTTPRequestHandler):
    """The Runtime API, for as long as there are events."""

    answered = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Give an event, the last of which is none."""
        if Api.answered == EVENTS:
            self.close_connection = True
            return
        self._answer(200, json.dumps({"number": Api.answered}).encode())

    def do_POST(self) -> None:
        """Take an answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/response"):
            Api.answered += 1
        self._answer(202, b'{"status": "OK"}')

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- its name
        """Say nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:0:function:archive"
        )
        self.end_headers()
        self.wfile.write(body)
