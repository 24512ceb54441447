"""One normalised path: what is plain passes, what could mean two things is refused."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.errors import ValidationError
from pilotlight_gateway.identifiers import new_request_id
from pilotlight_gateway.paths import normalise, plain, split_target


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b?c=d", "/a/b", "c=d"),
        ("/", "/", ""),
        ("/a/", "/a/", ""),
        ("http://host/a?b", "/a", "b"),
        ("HTTP://HOST/a?b", "/a", "b"),
        ("https://host", "/", ""),
        ("/a/%2Fb", "/a/%2Fb", ""),
        ("/a/.b", "/a/.b", ""),
    ],
)
def test_what_passes(target: str, path: str, query: str) -> None:
    assert normalise(target, "host") == (path, query)


@pytest.mark.parametrize(
    "target",
    ["/a/../b", "/a/%2e%2E/b", "/a/./b", "//a", "/a//b", "*", "host:80", "http://other/a", "/a%00b",
     "/a%0d%0ab", "/.", "/..", "/a%2F..%2Fb", "/a#/b", "/\udcff", "/a?b=%00", "/a?b=\udcff",
     "/a?b#c", "http://[x/a"],
)  # fmt: skip
def test_what_is_refused(target: str) -> None:
    with pytest.raises(ValidationError):
        normalise(target, "host")


@given(st.text("ab./%2eE5", min_size=1, max_size=20))
def test_nothing_that_passes_leads_upwards(text: str) -> None:
    try:
        path, _ = normalise("/" + text, "host")
    except ValidationError:
        return
    decoded = path.replace("%2e", ".").replace("%2E", ".")
    assert not {".", ".."} & set(decoded.split("/"))


@pytest.mark.parametrize("target", ["/a//b", "/a%2Fb?c", "/a%00", "http://host/a//b"])
def test_what_functions_get_as_it_came(target: str) -> None:
    """Empty segments and encoded characters are a function's own business."""
    path, _ = split_target(target, "host")
    assert path == target.removeprefix("http://host").partition("?")[0]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/", "/"), ("//", "/"), ("/a/", "/a"), ("//a%2Fb//c", "/a/b/c"), ("/%2561", "/%61")],
)
def test_how_a_path_may_be_read(path: str, wanted: str) -> None:
    """Decoded once, no slash twice and none at the end."""
    assert plain(path) == wanted


def test_ids_have_their_forms() -> None:
    ids = {new_request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(uuid.UUID(one).version == 4 and str(uuid.UUID(one)) == one for one in ids)
