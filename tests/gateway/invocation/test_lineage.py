"""The lineage of a trace counts each function's own hops, whatever else stands in the header."""

from __future__ import annotations

import re

import pytest

from pilotlight_gateway.errors import RecursiveInvocationError
from pilotlight_gateway.identifiers import new_trace_id
from pilotlight_gateway.invocation.lineage import (
    MOST_HOPS,
    continue_trace,
    count_hop,
    hops,
    refuse_loop,
)
from pilotlight_gateway.invocation.reference import Reference

OF_A, OF_B = (Reference("default", "000000000000", "us-east-1", name, "7") for name in "ab")
A, B = OF_A.unqualified_arn, OF_B.unqualified_arn
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
    refuse_loop(trace, OF_A)
    with pytest.raises(RecursiveInvocationError):
        refuse_loop(count_hop(trace, A), OF_A)
    refuse_loop(count_hop(trace, A), OF_B)


def test_a_clients_trace_is_carried_on() -> None:
    assert continue_trace(ROOT, OF_A) == count_hop(ROOT, A)
    new = new_trace_id()
    assert hops(continue_trace(new, OF_A), A) == 1


def test_a_trace_that_is_only_named_begins_under_that_name() -> None:
    """As AWS's front doors name one: whoever samples it has a parent to give it."""
    root = ROOT.partition(";")[0]
    trace = continue_trace(root, OF_A)
    assert re.fullmatch(re.escape(root) + ";Parent=[0-9a-f]{16};Sampled=0", trace)


@pytest.mark.parametrize("header", ["", "Root=1", "x" + ROOT, ROOT + "\r\nX: 1", ROOT + "ü"])
def test_a_header_that_is_no_trace_begins_a_new_one(header: str) -> None:
    trace = continue_trace(header, OF_A)
    assert trace.partition(";")[0] != ROOT.partition(";")[0]
    assert hops(continue_trace(trace, OF_A), A) == 1
