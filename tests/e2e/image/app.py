"""A function in an image of its own, which AWS's own client runs."""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

print("loaded")  # noqa: T201  as functions log


def handler(event: Any, context: Any) -> Any:
    """Do what the event asks for."""
    match event:
        case {"do": "sleep"}:
            # A child in a session of its own, which is to end with the call even so.
            subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
            time.sleep(60)
        case {"do": "exit"}:
            print("about to exit", flush=True)  # noqa: T201
            os._exit(3)
        case {"do": "fill"}:
            # Piece by piece: the agent is to see it before the kernel does.
            return len([os.urandom(1 << 20) for _ in range(event["megabytes"])])
        case {"do": "processes"}:
            return _processes()
    return {
        "event": event,
        "folder": str(Path.cwd()),
        "uid": os.getuid(),
        "variables": dict(os.environ),
        "memory": context.memory_limit_in_mb,
    }


def _processes() -> list[str]:
    """Name what runs in the pod."""
    names = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            names.append(path.read_text().strip())
    return names
