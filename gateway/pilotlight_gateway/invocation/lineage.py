"""Stops functions that call each other in a circle, by the lineage in their trace header.

Each invocation that follows from another counts its function up in `Lineage` (AWS Lambda Developer
Guide, "Use Lambda recursive loop detection"); AWS's SDKs hand the header on.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pilotlight_gateway.errors import RecursiveInvocationError
from pilotlight_gateway.identifiers import begin_trace, new_trace_id

if TYPE_CHECKING:
    from .reference import Reference

__all__ = ["MOST_HOPS", "continue_trace", "count_hop", "hops", "refuse_loop"]

MOST_HOPS = 16
"""How often one function may run in one chain of requests."""
_ROOT = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
_PART = re.compile(r"(?P<function>[0-9a-f]{8}):(?P<count>\d{1,5})")


def continue_trace(header: str, reference: Reference) -> str:
    """Return the trace header of an invocation: a client's own carried on, else a new one.

    Who names a trace and nothing else has begun none: it begins here, under that name.
    """
    if _ROOT.fullmatch(header):
        return begin_trace(header)
    if _ROOT.match(header) and header.isascii() and header.isprintable():
        return count_hop(header, reference.unqualified_arn)
    return new_trace_id()


def count_hop(trace_id: str, function_arn: str) -> str:
    """Return the trace header of an invocation that follows from another."""
    fields = [part for part in trace_id.split(";") if not part.startswith("Lineage=")]
    lineage = _lineage(trace_id)
    name = _name(function_arn)
    lineage[name] = lineage.get(name, 0) + 1
    counted = ",".join(f"{function}:{count}" for function, count in lineage.items())
    return ";".join([*fields, f"Lineage={counted}"])


def hops(trace_id: str, function_arn: str) -> int:
    """Say how often a function has run in this chain, this time included."""
    return _lineage(trace_id).get(_name(function_arn), 0)


def refuse_loop(trace_id: str, reference: Reference) -> None:
    """Raise RecursiveInvocationException where a function has run too often in this chain."""
    if "Lineage=" in trace_id and hops(trace_id, reference.unqualified_arn) > MOST_HOPS:
        raise RecursiveInvocationError(
            f"The function was invoked more than {MOST_HOPS} times in one chain of requests, "
            "which is a recursive loop."
        )


def _lineage(trace_id: str) -> dict[str, int]:
    for part in trace_id.split(";"):
        if part.startswith("Lineage="):
            found = (_PART.fullmatch(one) for one in part.removeprefix("Lineage=").split(","))
            return {match["function"]: int(match["count"]) for match in found if match}
    return {}


def _name(function_arn: str) -> str:
    return hashlib.sha256(function_arn.encode()).hexdigest()[:8]
