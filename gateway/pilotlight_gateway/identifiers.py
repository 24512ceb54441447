"""Request and trace ids: unique, not secret, so made without a system call each."""

from __future__ import annotations

import random
import time

__all__ = ["begin_trace", "new_request_id", "new_root", "new_span_id", "new_trace_id"]

_random = random.Random()  # noqa: S311  unique, not secret; seeded by the system


def new_request_id() -> str:
    """Make a request id, a UUID of version 4."""
    digits = f"{_random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_trace_id() -> str:
    """Begin a trace (AWS X-Ray Developer Guide, "Tracing header")."""
    return begin_trace(new_root())


def new_root() -> str:
    """Make a trace header that says which trace it is and nothing else, as AWS's front doors do."""
    return f"Root=1-{int(time.time()):08x}-{_random.getrandbits(96):024x}"


def begin_trace(root: str) -> str:
    """Return the header of a trace's first invocation, of such a header."""
    return f"{root};Parent={new_span_id():016x};Sampled=0"


def new_span_id() -> int:
    """Make the id of a span, of 64 bits; zero would be none."""
    return _random.getrandbits(64) or 1
