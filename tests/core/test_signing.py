"""Requests are signed as botocore signs them."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.signing import Credentials, Signer

AT = datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
# Neither dot segments nor empty ones: botocore resolves them, the gateway refuses them.
SEGMENTS = st.lists(st.text("abcXYZ09-_~:$ %+ü", min_size=1, max_size=12), max_size=4)


@given(
    segments=SEGMENTS,
    query=st.dictionaries(TEXT.filter(bool), TEXT, max_size=4),
    body=st.binary(max_size=64),
    token=st.none() | st.just("a-session-token"),
    extra=st.dictionaries(
        st.sampled_from(["X-Amz-Log-Type", "X-Amz-Invocation-Type", "x-amz-client-context"]),
        st.text("ab Z+/=", max_size=12),
    ),
)
def test_the_signature_is_botocores(
    segments: list[str],
    query: dict[str, str],
    body: bytes,
    token: str | None,
    extra: dict[str, str],
) -> None:
    """For any path, query, body and headers of AWS's own, with and without a session."""
    url = f"http://127.0.0.1:9001/{quote('/'.join(segments), safe='/$~')}"
    if query:
        url += f"?{urlencode(query, quote_via=quote)}"
    signer = Signer(Credentials("AKIDEXAMPLE", "secret", token), "eu-west-1")

    headers = signer.sign("POST", url, body, {"Accept": "*/*", **extra}, at=AT)
    assert headers["Accept"] == "*/*"

    theirs = AWSRequest("POST", url, data=body, headers={
        "X-Amz-Content-SHA256": "given below", **extra,
    })  # fmt: skip
    theirs.headers.replace_header("X-Amz-Content-SHA256", headers["X-Amz-Content-SHA256"])
    auth = SigV4Auth(BotocoreCredentials("AKIDEXAMPLE", "secret", token), "lambda", "eu-west-1")
    with mock.patch("botocore.auth.get_current_datetime", return_value=AT.replace(tzinfo=None)):
        auth.add_auth(theirs)
    assert headers["Authorization"] == theirs.headers["Authorization"]
    assert headers["X-Amz-Date"] == theirs.headers["X-Amz-Date"]


@given(segments=SEGMENTS)
def test_the_signature_of_an_object_is_botocores(segments: list[str]) -> None:
    """S3 signs a path as it is sent; all other services sign it encoded once more."""
    url = f"http://127.0.0.1:9000/{quote('/'.join(segments), safe='/-_.~')}"
    headers = Signer(Credentials("AKIDEXAMPLE", "secret"), "eu-west-1", "s3").sign(
        "GET", url, b"", at=AT
    )
    theirs = AWSRequest("GET", url, data=b"")
    theirs.context["payload_signing_enabled"] = True
    auth = S3SigV4Auth(BotocoreCredentials("AKIDEXAMPLE", "secret"), "s3", "eu-west-1")
    with mock.patch("botocore.auth.get_current_datetime", return_value=AT.replace(tzinfo=None)):
        auth.add_auth(theirs)
    assert headers["Authorization"] == theirs.headers["Authorization"]


def test_secrets_do_not_show_in_a_representation() -> None:
    """Neither in a traceback nor in a log."""
    shown = repr(Signer(Credentials("AKIDEXAMPLE", "the-secret", "the-token"), "eu-west-1"))
    assert "AKIDEXAMPLE" in shown
    assert "the-" not in shown
