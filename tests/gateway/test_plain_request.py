"""What is taken for a plain request means the same to aiohttp; the rest is left to it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from pilotlight_gateway.plain_request import LARGEST_HEAD, read_head

PATH = "/2015-03-31/functions/hello/invocations"
GOOD = f"POST {PATH} HTTP/1.1\r\nHost: x:80\r\nContent-Length: 2\r\n"

_pieces = st.sampled_from([
    *GOOD.split(" "), "POST ", "GET ", "HEAD ", "DELETE ", "OPTIONS ", "PUT ",
    f"POST {PATH}", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n",
    "\n", "\r", "Host: x\r\n", "host:y\r\n", "Host:\r\n", "Content-Length: 2\r\n",
    "Content-Length: 02\r\n", "content-length:2\r\n", "Content-Length: +2\r\n",
    "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Connection: keep-alive\r\n",
    "Connection: close\r\n", "Upgrade: x\r\n", "X-Amz-Log-Type: Tail\r\n", "A: b c \r\n",
    "A:  b\r\n", "A:\tb\r\n", " folded: x\r\n", "A b: c\r\n", "A : c\r\n", "\x00", "\xe9",
    "GET / HTTP/1.1\r\nHost: x\r\n", "GET //x HTTP/1.1\r\n", "/a(b)'c;d=1,2!*@~+", "[", "|", '"',
    "?Qualifier=1", "?", "#", "%3A", "%00", "..", "/", ":", " ", f"A: {'b' * 5000}\r\n",
    "X-Amzn-Trace-Id: Root=1-0-0;Parent=1\r\n",
])  # fmt: skip
_heads = st.one_of(
    st.lists(_pieces, max_size=12).map("".join),
    st.lists(_pieces, max_size=4).map(lambda more: GOOD + "".join(more)),
    st.tuples(st.integers(0, len(GOOD)), _pieces).map(
        lambda cut: GOOD[: cut[0]] + cut[1] + GOOD[cut[0] :]
    ),
)


@given(_heads)
@example(GOOD)
def test_what_is_plain_is_the_same_to_aiohttp(text: str) -> None:
    """Method, target, every header, the length of the body, and that the connection is kept."""
    head = text.encode("latin-1")
    plain = read_head(head)
    if plain is None:
        return
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
        messages, upgraded, tail = parser.feed_data(head + b"\r\n" + b"x" * plain.length)
    finally:
        loop.close()
    ((message, body),) = messages
    assert (message.method, message.path) == (plain.method, plain.raw_path)
    assert [*message.headers.items()] == [*plain.headers.items()]
    assert (message.should_close, message.upgrade, message.chunked) == (False, False, False)
    assert not upgraded
    assert tail == b""
    assert body.is_eof()
    assert len(body.read_nowait()) == plain.length


@pytest.mark.parametrize(
    "head",
    [
        GOOD,
        GOOD + "Connection: Keep-Alive\r\n",
        GOOD + "X-Amz-Client-Context: e30=\r\nX-Amz-Log-Type: Tail\r\n",
        GOOD.replace("hello", "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello"),
        GOOD.replace("invocations", "invocations?Qualifier=$LATEST"),
        GOOD.replace("x:80", "[::1]:80"),
        *(f"{method} /a/b?c=d HTTP/1.1\r\nHost: x\r\n" for method in ("GET", "DELETE", "OPTIONS")),
        *(GOOD.replace("POST", method) for method in ("GET", "PUT", "PATCH")),
        GOOD.replace(PATH, "/%7Euser/(1);v=2,3/@x?q=a+b&r=/?"),
    ],
)
def test_what_clients_send_is_plain(head: str) -> None:
    assert read_head(head.encode()) is not None


@pytest.mark.parametrize(
    "head",
    [
        GOOD + "Transfer-Encoding: chunked\r\n",
        GOOD + "Expect: 100-continue\r\n",
        GOOD + "Connection: close\r\n",
        GOOD + "Upgrade: websocket\r\n",
        GOOD + "Content-Encoding: gzip\r\n",
        GOOD + "content-length: 2\r\n",
        GOOD + "A: b\r\na: c\r\n",
        GOOD.replace("1.1", "1.0"),
        *(GOOD.replace("POST", method) for method in ("HEAD", "CONNECT", "TRACE", "get")),
        *(f"{method} / HTTP/1.1\r\nHost: x\r\n" for method in ("POST", "PUT", "PATCH")),
        GOOD.replace("Host: x:80\r\n", ""),
        GOOD.replace(": 2", ": +2"),
        GOOD.replace("\r\n", "\n"),
        GOOD.replace(PATH, f"http://x:80{PATH}"),
        GOOD.replace(PATH, f"/{PATH}"),
        GOOD.replace(PATH, f"{PATH}#x"),
        GOOD.replace(PATH, "*"),
    ],
)
def test_what_may_mean_more_is_left_to_aiohttp(head: str) -> None:
    assert read_head(head.encode()) is None


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (GOOD, True),
        (GOOD.replace("invocations", "invocations?Qualifier=1"), True),
        (GOOD.replace("POST", "GET"), False),
        (GOOD.replace("invocations", "configuration"), False),
        (GOOD.replace("invocations", "invocations/"), False),
        (GOOD.replace("hello", "a/b"), False),
        (GOOD.replace(PATH, "/-/fn/000000000000/hello"), False),
    ],
)
def test_what_is_an_invocation(head: str, *, is_one: bool) -> None:
    plain = read_head(head.encode())
    assert plain is not None
    assert plain.is_invocation is is_one


def test_heads_that_are_remembered_take_little_room() -> None:
    """Whatever strangers send, no more of them and no longer ones are kept."""
    for number in range(2000):
        read_head(f"{GOOD}A: {number}\r\n".encode())
    assert read_head.cache_info().currsize * LARGEST_HEAD <= 2 << 20
