"""Who lost the Lease: the process begins anew, and hears what it was told meanwhile."""

from __future__ import annotations

import subprocess
import sys

BEGINS_ANEW = """
import os, signal, sys, threading
from pilotlight_operator.process import start_anew
print(os.getpid(), threading.active_count(), sys.argv[1:], flush=True)
if "AGAIN" in os.environ:
    print(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []))
else:
    os.environ["AGAIN"] = "1"
    threading.Thread(target=threading.Event().wait).start()
    start_anew()
"""


def test_a_process_that_lost_the_lease_begins_anew() -> None:
    """The same process with the same arguments, none of its threads; signals wait for it."""
    ran = subprocess.run(
        [sys.executable, "-c", BEGINS_ANEW, "--option", "1"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    before, after, blocked = ran.stdout.splitlines()
    assert before == after
    assert before.endswith("1 ['--option', '1']")
    assert blocked == "True"
