"""The lineage of a trace counts each function's own hops, whatever else stands in the header."""

from __future__ import annotations

import pytest

from pilotlight_gateway.errors import RecursiveInvocationError
from pilotlight_gateway.invocation.lineage import MOST_HOPS, count_hop, hops, refuse_loop

A, B = "arn:aws:lambda:us-east-1:000000000000:function:a", "arn:…:function:b"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_each_function_is_counted_by_itself() -> None:
    trace = count_hop(count_hop(count_hop(ROOT, A), B), A)
    assert (hops(trace, A), hops(trace, B)) == (2, 1)
    assert trace.startswith(ROOT + ";Lineage=")
    assert trace.count("Lineage=") == 1


@pytest.mark.parametrize("lineage", ["", "x", "abc:1", "deadbeef:-1", ":,:,", "deadbeef:1:2"])
def test_a_lineage_that_cannot_be_read_is_none(lineage: str) -> None:
    trace = f"{ROOT};Lineage={lineage}"
    assert hops(trace, A) == 0
    assert hops(count_hop(trace, A), A) == 1


def test_the_seventeenth_hop_is_refused() -> None:
    trace = ROOT
    for _ in range(MOST_HOPS):
        trace = count_hop(trace, A)
    refuse_loop(trace, A)
    with pytest.raises(RecursiveInvocationError):
        refuse_loop(count_hop(trace, A), A)
    refuse_loop(count_hop(trace, A), B)
