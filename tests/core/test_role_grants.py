"""Grants of roles: sealed, and for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.errors import InvalidCredentialsError
from pilotlight.role_grants import RoleGrant, read, seal

KEY = b"key"
GRANT = RoleGrant("team", "111122223333", "hello", "arn:aws:iam::111122223333:role/r", 1000)


def test_what_is_sealed_is_read_until_it_expires() -> None:
    text = seal(KEY, GRANT)
    assert read(KEY, text, now=1000) == GRANT
    with pytest.raises(InvalidCredentialsError, match="expired"):
        read(KEY, text, now=1001)
    with pytest.raises(InvalidCredentialsError, match="none of this platform's"):
        read(b"another", text, now=1000)


@given(st.integers(0, len(seal(KEY, GRANT)) - 1), st.characters())
def test_no_changed_character_is_believed(place: int, character: str) -> None:
    text = seal(KEY, GRANT)
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(InvalidCredentialsError):
            read(KEY, changed, now=1)


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_no_text_is_a_grant(text: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        read(KEY, text, now=1)
