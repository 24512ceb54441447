"""A fast parser says yes for the one whose words are Lambda's, and never no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.apis.lambda_.invoke import _event, _is_json, _refuse_constant
from pilotlight_gateway.errors import InvalidRequestContentError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_PIECES = (
    *b'[]{},:"0123456789.eE+- \t\n\r\\u', b"null", b"true", b"false", b"NaN", b"Infinity", b"-0",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff", b"\0", b"\x7f", b"\\ud800", b"\\udc00", b"\\u0000",
    b"9" * 400, b"9" * 4400, b"1e999", b"1e-999", b"/**/", b"\xe2\x80\xa8", b'{"a":1,"a":2}', b"01",
    b"1.", b".5", b"'", b"[[]]",
)  # fmt: skip


def _texts() -> SearchStrategy[bytes]:
    pieces = [piece if isinstance(piece, bytes) else bytes([piece]) for piece in _PIECES]
    documents: SearchStrategy[object] = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
    rubbish = st.lists(st.sampled_from(pieces), max_size=8).map(b"".join)
    good = documents.map(lambda one: json.dumps(one).encode())
    return rubbish | good | st.tuples(good, rubbish).map(b"".join) | st.binary()


def _is_json_to_python(body: bytes) -> bool:
    try:
        json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


@given(_texts())
def test_what_is_json_to_the_fast_one_is_to_the_slow_one(body: bytes) -> None:
    assert not _is_json(body) or _is_json_to_python(body)


@pytest.mark.parametrize("depth", [400, 900, 1000, 1024])
def test_nesting_is_judged_by_the_slow_one(depth: int) -> None:
    """Its limit is lower. Hypothesis moves it, so these are by themselves."""
    body = b"[" * depth + b"]" * depth
    assert not _is_json(body) or _is_json_to_python(body)


@pytest.mark.parametrize("body", [b'"\\ud800"', b"[1e999]", b"9" * 400, b'{"a":1,"a":2}', b" 1 "])
def test_what_only_the_slow_one_takes_is_taken(body: bytes) -> None:
    assert _event(body) == body


def test_what_neither_takes_is_refused_in_the_words_of_the_slow_one() -> None:
    with pytest.raises(InvalidRequestContentError, match="Expecting value: line 1 column 2"):
        _event(b"[")
