"""Variables that only who has the installation's key can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.errors import UndecryptableError
from pilotlight.variable_encryption import MARK, VariableCipher

KEY, ARN = b"k" * 32, "arn:aws:kms:us-east-1:000000000000:key/one"
CIPHER = VariableCipher(KEY, ARN)
OTHERS = [VariableCipher(b"l" * 32, ARN), VariableCipher(KEY, ARN + "s")]


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_what_was_encrypted_comes_back(variables: dict[str, str]) -> None:
    """Under its own name and with its own key alone."""
    sealed = CIPHER.encrypt(variables)
    assert CIPHER.decrypt(sealed) == variables
    assert all(value.startswith(MARK) for value in sealed.values())
    assert CIPHER.digest(variables) == VariableCipher(KEY, ARN).digest(dict(variables))


@pytest.mark.parametrize("other", OTHERS)
def test_another_key_reads_nothing(other: VariableCipher) -> None:
    sealed = CIPHER.encrypt({"NAME": "value"})
    assert "value" not in sealed["NAME"]
    with pytest.raises(UndecryptableError, match="variable NAME was encrypted by another key"):
        other.decrypt(sealed)
    assert other.digest({"NAME": "value"}) != CIPHER.digest({"NAME": "value"})


def test_a_value_is_bound_to_its_name() -> None:
    """Who may write a Secret cannot have one variable read as another."""
    sealed = CIPHER.encrypt({"NAME": "value"})
    with pytest.raises(UndecryptableError):
        CIPHER.decrypt({"OTHER": sealed["NAME"]})


@pytest.mark.parametrize("damaged", ["", "!", "QQ==", "A" * 40])
def test_what_is_damaged_is_an_error(damaged: str) -> None:
    with pytest.raises(UndecryptableError):
        CIPHER.decrypt({"NAME": MARK + damaged})


def test_clear_text_stays_what_it_is() -> None:
    assert CIPHER.decrypt({"NAME": "value"}) == {"NAME": "value"}
