"""Variables that only who has the installation's key can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.errors import UndecryptableError
from pilotlight.names import ENCRYPTED_BY_ANNOTATION
from pilotlight.resources import Key, ObjectMeta, Secret
from pilotlight.variable_encryption import VariableCipher, encryption_of, variables_of

KEY, ARN = b"k" * 32, "arn:aws:kms:us-east-1:000000000000:key/one"
FUNCTION = Key("team", "orders")
CIPHER = VariableCipher(KEY, FUNCTION, ARN)
OTHERS = [
    VariableCipher(b"l" * 32, FUNCTION, ARN),
    VariableCipher(KEY, FUNCTION, ARN + "s"),
    VariableCipher(KEY, Key("team", "others"), ARN),
    VariableCipher(KEY, Key("another-team", "orders"), ARN),
]


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_what_was_encrypted_comes_back(variables: dict[str, str]) -> None:
    """Under its own name and with its own key alone."""
    sealed = CIPHER.encrypt(variables)
    assert CIPHER.decrypt(sealed) == variables
    assert CIPHER.digest(variables) == VariableCipher(KEY, FUNCTION, ARN).digest(dict(variables))


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
        CIPHER.decrypt({"NAME": damaged})


def secret(values: dict[str, str], **annotations: str) -> Secret:
    """Return a Secret of the function's."""
    metadata = ObjectMeta(name="variables", namespace="team", annotations=annotations)
    return Secret(metadata=metadata, string_data=values)


def test_a_secret_says_itself_what_it_was_encrypted_by() -> None:
    """Whatever the function's spec says meanwhile; what says nothing is in clear text."""
    said = {ENCRYPTED_BY_ANNOTATION: ARN}
    sealed = secret(CIPHER.encrypt({"NAME": "value"}), **said)
    assert variables_of(KEY, FUNCTION, sealed) == {"NAME": "value"}
    assert encryption_of(sealed) == said
    clear = secret({"NAME": "value"})
    assert (variables_of(KEY, FUNCTION, clear), encryption_of(clear)) == ({"NAME": "value"}, {})
    with pytest.raises(UndecryptableError):
        variables_of(KEY, Key("another-team", "orders"), sealed)
