"""`GET /`: what a browser is shown, and what is left to SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from tests.support.dev_process import DevProcess
from tests.support.http_client import fetch
from tests.support.platform import lambda_client, manifest, zip_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """A platform with a function that has an address, and one that nothing here runs."""
    folder = tmp_path_factory.mktemp("page")
    served = manifest("shown", url={"authType": "NONE"})
    broken = manifest("broken", runtime="dotnet8")
    marked = manifest("marked", runtime="<b>bold")
    (folder / "all.yaml").write_text(yaml.safe_dump_all([served, broken, marked]))
    with DevProcess(folder, "--no-watch", state=folder / "state") as running:
        yield running


def port(platform: DevProcess) -> int:
    return int(platform.endpoint.rpartition(":")[2])


def test_a_browser_is_told_what_this_is(platform: DevProcess) -> None:
    """The functions, how they stand, where their addresses are and how one is called."""
    got = fetch(port(platform), "/", headers={"Sec-Fetch-Site": "none"})
    text = got.body.decode()
    assert (got.status, got.header("content-type")) == (200, "text/html; charset=utf-8")
    assert "<td>shown<td>python3.13<td>Ready<td>" in text
    assert '<a href="/-/fn/000000000000/shown/">' in text
    assert "<td>broken<td>dotnet8<td>RuntimeUnavailable<td></tr>" in text
    assert f"{platform.endpoint}/2015-03-31/functions/broken/invocations" in text
    assert "<script" not in text
    policy = got.header("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<td>&lt;b&gt;bold<td>" in text
    assert "<b>" not in text


def test_a_host_name_is_no_markup(platform: DevProcess) -> None:
    """What is no host is no request; any name but this machine's is refused."""
    assert fetch(port(platform), "/", host='x"<b>.localhost').status == 400
    assert fetch(port(platform), "/", host="evil.example").status == 403
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert fetch(port(platform), "/", headers=foreign).status == 403


def test_who_signs_is_answered_in_the_service_s_protocol(platform: DevProcess) -> None:
    """ListBuckets is a GET of / as well."""
    client = boto3.client(
        "s3", endpoint_url=platform.endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    with pytest.raises(ClientError, match="s3"):
        client.list_buckets()
    client.close()


def test_another_account_s_functions_are_not_shown(platform: DevProcess) -> None:
    """The page has no credentials, so it is the default account's."""
    with lambda_client(platform.endpoint, access_key="123456789012") as client:
        client.create_function(
            FunctionName="theirs", Runtime="python3.13", Handler="index.handler",
            Role="arn:aws:iam::123456789012:role/any",
            Code={"ZipFile": zip_of({"index.py": "def handler(event, context): pass"})},
        )  # fmt: skip
    assert b"theirs" not in fetch(port(platform), "/").body
