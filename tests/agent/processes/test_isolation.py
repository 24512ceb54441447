"""What the kernel has been asked for, told by a process that asked."""

import json
import subprocess
import sys

PROBE = """
import ctypes, json, os, resource
from pilotlight_agent.processes.isolation import isolate
isolate()
libc = ctypes.CDLL(None)
subreaper = ctypes.c_int()
libc.prctl(37, ctypes.byref(subreaper), 0, 0, 0)
print(json.dumps({
    "dumpable": libc.prctl(3, 0, 0, 0, 0),
    "subreaper": subreaper.value,
    "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "processes": resource.getrlimit(resource.RLIMIT_NPROC),
}))
"""


def probe(prefix: str = "") -> dict[str, object]:
    """Isolate a process of its own and give what it finds."""
    result = subprocess.run([sys.executable, "-c", prefix + PROBE], check=True, capture_output=True)
    told: dict[str, object] = json.loads(result.stdout)
    return told


def test_the_agent_is_closed_to_functions_and_adopts_their_orphans() -> None:
    """Not dumpable: its memory and environment are unreadable to its own uid."""
    told = probe()
    assert (told["dumpable"], told["subreaper"]) == (0, 1)
    assert told["files"] == [1024, 1024]
    assert told["core"] == [0, 0]


def test_processes_are_limited_where_the_uid_is_the_pods_own() -> None:
    """Elsewhere the limit would count the processes of strangers."""
    pretend = "import os\nos.getuid = lambda: 100_001\n"
    assert probe(pretend)["processes"] == [1040, 1040]
    assert probe("import os\nos.getuid = lambda: 1000\n")["processes"] != [1040, 1040]


def test_a_stricter_limit_stays() -> None:
    """What the container allows is not raised."""
    strict = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
    assert probe(strict)["files"] == [256, 256]
