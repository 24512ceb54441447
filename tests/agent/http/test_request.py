"""The request parser: what it reads, and everything ambiguous that it must not."""

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight_agent.errors import BadRequestError
from pilotlight_agent.http.request import HEAD_LIMIT, HeadReader, Request, RequestReader

LIMIT = 1_000
GET = b"GET /live HTTP/1.1\r\nHost: pod\r\n\r\n"
POST = b"POST /v1/invoke HTTP/1.1\r\nHost: pod\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = (
    b"POST /r HTTP/1.1\r\nhost: pod\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nX-End: yes\r\nY-End: no\r\n\r\n"
)


def read(data: bytes, step: int = 0) -> list[Request]:
    """Read all requests of a connection, whole or `step` bytes at a time."""
    reader = RequestReader(LIMIT)
    requests = []
    for start in range(0, len(data), step or len(data)):
        reader.feed(data[start : start + (step or len(data))])
        while (request := reader.take()) is not None:
            requests.append(request)
    return requests


def parts(request: Request) -> tuple[object, ...]:
    """Return all that a request says."""
    return (
        *(request.method, request.target, request.headers, request.body),
        *(request.trailers, request.keep_alive, request.overflow),
    )


def test_reads_fixed_and_chunked_bodies_and_trailers() -> None:
    """Three requests on one connection come out in order, each with its own body."""
    get, post, chunked = read(GET + POST + CHUNKED)
    assert (get.method, get.target, get.body) == (b"GET", b"/live", b"")
    assert post.body == b"body"
    assert chunked.body == b"abc0123456789"
    assert chunked.trailers == {b"x-end": b"yes", b"y-end": b"no"}


@given(step=st.integers(1, 40))
def test_boundaries_of_packets_mean_nothing(step: int) -> None:
    """However the bytes are cut, the requests are the same."""
    stream = GET + CHUNKED + POST + CHUNKED + GET
    assert list(map(parts, read(stream, step))) == list(map(parts, read(stream)))


def test_repeated_headers_are_joined() -> None:
    """A header that may come twice is one value."""
    (request,) = read(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx:\t2 \r\n\r\n")
    assert request.headers[b"x"] == b"1, 2"


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_how_long_a_connection_stays(head: bytes, stays: bool) -> None:  # noqa: FBT001 -- a table
    """HTTP/1.1 stays unless it says otherwise."""
    assert read(head)[0].keep_alive is stays


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1])
def test_the_limit_is_exact_for_both_framings(length: int) -> None:
    """A body over the limit is read to its end, said to be too long, and not kept."""
    fixed = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length
    chunked = (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n" % (length - 10) + b"x" * (length - 10) + b"\r\na\r\n0123456789\r\n0\r\n\r\n"
    )
    for request in read(fixed + GET, 100)[:1] + read(chunked + GET, 100)[:1]:
        assert request.overflow is (length > LIMIT)
        assert len(request.body) == (0 if request.overflow else length)


def test_what_is_remembered_of_a_connection_is_little() -> None:
    """Anybody may open a thousand and send heads as large as they may be."""
    reader = HeadReader()
    tracemalloc.start()
    try:
        for _ in range(3):
            reader.read(GET[:-2] + b"X: " + b"y" * (HEAD_LIMIT - 100) + b"\r\n\r\n")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < HEAD_LIMIT / 4


FIRST_LINES = [b"GET / HTTP/1.1", b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET /"]
LINES = [b"Host: b", b"X: 1", b"X: 2", b"Y: \xff", b"Y:", b"X : 1", b" folded", b"Z\n: 1"]
HEADS = st.tuples(st.sampled_from(FIRST_LINES), st.lists(st.sampled_from(LINES), max_size=3))


@settings(max_examples=1_000)
@given(st.lists(HEADS, min_size=3, max_size=8))
def test_what_came_before_changes_nothing(heads: list[tuple[bytes, list[bytes]]]) -> None:
    """A head on a connection that knows its beginning means what it means on a new one."""
    known = HeadReader()
    for first, lines in heads:
        head = b"\r\n".join((first, b"Host: a", *lines, b"", b""))
        outcomes: list[object] = []
        for reader in (known, HeadReader()):
            try:
                outcomes.append(reader.read(head))
            except BadRequestError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
REFUSED = {
    "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
    "length list": HEAD + b"Content-Length: 4, 4\r\n\r\nbody",
    "signed length": HEAD + b"Content-Length: +4\r\n\r\nbody",
    "unicode length": HEAD + "Content-Length: ٤\r\n\r\nbody".encode(),
    "empty length": HEAD + b"Content-Length: \r\n\r\n",
    "endless length": HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "unknown coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "bare line feeds": b"POST / HTTP/1.1\nHost: a\n\n",
    "one bare line feed": b"POST / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "bare carriage return": b"POST / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "folded header": HEAD + b"X: y\r\n z\r\n\r\n",
    "space before colon": HEAD + b"Content-Length : 4\r\n\r\nbody",
    "no colon": HEAD + b"X\r\n\r\n",
    "no name": HEAD + b": y\r\n\r\n",
    "control in value": HEAD + b"X: \x00\r\n\r\n",
    "two hosts": HEAD + b"Host: b\r\n\r\n",
    "no host": b"POST / HTTP/1.1\r\n\r\n",
    "absolute target": b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "wrong version": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "lower-case version": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "leading line end": b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\n\r\n\r\n",
    "huge head": HEAD + b"X: " + b"y" * HEAD_LIMIT + b"\r\n\r\n",
    "endless head": HEAD + b"X: " + b"y" * HEAD_LIMIT,
    "chunk size sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
    "chunk size prefix": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "chunk size huge": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    "chunk line endless": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 300,
    "chunk line feed": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "bad trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX Y: z\r\n\r\n",
    "endless trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * HEAD_LIMIT,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_refuses_what_could_be_read_in_two_ways(data: bytes) -> None:
    """Nothing of such a connection becomes a request."""
    with pytest.raises(BadRequestError):
        read(data)


@given(st.binary(max_size=200))
def test_never_fails_otherwise(data: bytes) -> None:
    """Any bytes at all are requests, an incomplete one, or refused."""
    reader = RequestReader(LIMIT)
    reader.feed(HEAD + data)
    with suppress(BadRequestError):
        while reader.take() is not None:
            pass
