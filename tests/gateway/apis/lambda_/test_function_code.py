"""Packages as tools make them and as nobody should, through CreateFunction and a real agent."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

LINKS = """
import os
def handler(event, context):
    return {
        "link": os.readlink("link.txt"), "folder": os.readlink("folder"),
        "text": open("link.txt").read(), "inside": os.listdir("folder"), "twice": open("t").read(),
    }
"""


def entry(name: str, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o755) << 16
    return info


def pack(*entries: tuple[zipfile.ZipInfo, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for info, text in entries:
            package.writestr(info, text)
    return content.getvalue()


def test_links_and_names_that_come_twice_are_unpacked_as_lambda_does(
    platform: GatewayHarness,
) -> None:
    """Of two entries the later replaces the earlier, also where one is spelt with a dot."""
    code = pack(
        (entry("index.py"), LINKS),
        (entry("link.txt", stat.S_IFLNK), "real/a.txt"),
        (entry("folder", stat.S_IFLNK), "real"),
        (entry("real/a.txt"), "hello"),
        (entry("./t"), "first"),
        (entry("t"), "second"),
    )
    platform.create("links", "", Code={"ZipFile": code})
    answer = platform.client().invoke(FunctionName="links")["Payload"].read()
    assert json.loads(answer) == {
        "link": "real/a.txt", "folder": "real", "text": "hello", "inside": ["a.txt"],
        "twice": "second",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (pack(), "Uploaded file must be a non-empty zip"),
        (pack((entry(""), "x")), "Could not unzip uploaded file: an entry has an empty name"),
    ],
)
def test_a_package_of_nothing_is_refused(platform: GatewayHarness, code: bytes, text: str) -> None:
    """And leaves nothing behind; the same at the platform's own door."""
    before = dict(platform.artifacts.held)
    with pytest.raises(ClientError) as refused:
        platform.create("nothing", "", Code={"ZipFile": code})
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert text in str(refused.value)
    assert platform.artifacts.held == before
