"""Credentials of a function's own: derived twice, the same; forged, none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pilotlight.errors import InvalidCredentialsError
from pilotlight.function_credentials import LIFETIME, issue, read

KEY = b"k" * 32


def test_what_was_issued_is_read_again() -> None:
    """From the token alone, with the secret that no message carries."""
    issued = issue(KEY, namespace="team-a", account="123456789012", function="f", now=1000.5)
    assert issued.identity.expires == 1000 + LIFETIME
    assert read(KEY, issued.session_token) == issued
    assert issued.secret_key not in issued.session_token
    assert (issued.access_key[:4], len(issued.access_key)) == ("ASIA", 20)


def test_no_two_functions_share_a_key() -> None:
    """Name, account, namespace and time: each makes other keys; so does another platform's key."""
    said: dict[str, Any] = {"namespace": "a", "account": "1" * 12, "function": "f"}
    keys = {issue(key, **said, now=0).secret_key for key in (KEY, b"other")}
    keys |= {issue(KEY, **{**said, name: "2" * 12}, now=0).secret_key for name in said}
    keys.add(issue(KEY, **said, now=1).secret_key)
    assert len(keys) == 6


def test_a_changed_token_is_nobodys() -> None:
    """Claims that were written anew have no seal; a seal of another platform is none."""
    token = issue(KEY, namespace="a", account="1" * 12, function="f").session_token
    claims, _, seal = token.partition(".")
    said = json.loads(base64.urlsafe_b64decode(claims)) | {"account": "2" * 12}
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
    for one in (f"{forged}.{seal}", claims, "", ".", f"{claims}.", "é.\udcff", f"{token}0"):
        with pytest.raises(InvalidCredentialsError):
            read(KEY, one)
    with pytest.raises(InvalidCredentialsError):
        read(b"another", token)
