"""Packages as tools make them and as nobody should, through CreateFunction and a real agent."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import Namespace, ObjectMeta
from tests.support.gateway import wait_for
from tests.support.http_client import fetch
from tests.support.platform import manifest

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

OTHER = "555566667777"
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


def test_another_accounts_package_is_as_good_as_none(platform: GatewayHarness) -> None:
    """CodeSha256 is no ticket, by manifest or by GetFunction; bringing the same bytes is."""
    code = pack((entry("index.py"), "SECRET = 'of the first account'\ndef handler(e, c): ..."))
    platform.create("secretive", "", Code={"ZipFile": code})
    sha256 = hashlib.sha256(code).hexdigest()
    labels = {ACCOUNT_LABEL: OTHER}
    namespace = Namespace(metadata=ObjectMeta(name=f"account-{OTHER}", labels=labels))
    platform.call(platform.resources.create(namespace))
    stealing = json.dumps(manifest("thief", code={"zip": sha256})).encode()
    assert as_other(platform, "POST", "/-/apply", stealing) == 200
    thief = platform.client(OTHER)
    wait_for(thief, "function_exists", FunctionName="thief")
    found = thief.get_function(FunctionName="thief")
    assert "Location" not in found["Code"]
    assert found["Configuration"]["State"] != "Active"
    assert as_other(platform, "PUT", f"/-/artifacts/{sha256}", code) == 201
    assert "Location" in thief.get_function(FunctionName="thief")["Code"]


def as_other(platform: GatewayHarness, method: str, path: str, body: bytes) -> int:
    """Ask the platform's own door for another account; returns the status."""
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={OTHER}/20260101/us-east-1/lambda/"
        "aws4_request, SignedHeaders=host, Signature=x"
    }
    return fetch(platform.port, path, method=method, headers=headers, body=body).status
