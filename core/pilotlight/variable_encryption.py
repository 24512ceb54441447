"""Encrypts the variables of functions with a `kmsKeyArn` where they are kept, in Secrets.

There is no KMS: each ARN stands for a key of its own for each function, derived from the
installation's, so whoever reads the Secrets, or a backup of them, reads no values without that. The
gateway encrypts what comes by the API and decrypts it in its answers, the autoscaler does for
environments. A Secret says itself what it was encrypted by; one that an admin wrote says nothing
and is in clear text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import UndecryptableError
from .names import ENCRYPTED_BY_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .resources import Key, Secret

__all__ = ["VariableCipher", "encryption_of", "variables_of"]

_NONCE, _KEY = 12, 32
"""Bytes."""


def variables_of(platform_key: bytes, function: Key, secret: Secret) -> dict[str, str]:
    """Return the variables that a Secret has for a function; raises UndecryptableError."""
    key_arn = secret.metadata.annotations.get(ENCRYPTED_BY_ANNOTATION)
    if key_arn is None:
        return secret.string_data
    return VariableCipher(platform_key, function, key_arn).decrypt(secret.string_data)


def encryption_of(secret: Secret) -> dict[str, str]:
    """Return the annotation that says what a Secret was encrypted by, for a copy of it."""
    key_arn = secret.metadata.annotations.get(ENCRYPTED_BY_ANNOTATION)
    return {} if key_arn is None else {ENCRYPTED_BY_ANNOTATION: key_arn}


class VariableCipher:
    """The key that an ARN stands for, of one function."""

    def __init__(self, platform_key: bytes, function: Key, key_arn: str) -> None:
        whose = json.dumps(["environment variables", *function, key_arn])
        self._key = HKDF(SHA256(), _KEY, salt=None, info=whose.encode()).derive(platform_key)
        self._key_arn = key_arn

    def encrypt(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Encrypt each value; it is bound to its name, and another one each time."""
        return {name: self._encrypt(name, value) for name, value in variables.items()}

    def decrypt(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Decrypt what was encrypted; raises UndecryptableError for what another key has."""
        return {name: self._decrypt(name, value) for name, value in variables.items()}

    def digest(self, variables: Mapping[str, str]) -> str:
        """Tell values from others, to who has the key alone: 16 hex digits."""
        text = json.dumps(variables, sort_keys=True)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:16]

    def _encrypt(self, name: str, value: str) -> str:
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._key).encrypt(nonce, value.encode(), name.encode())
        return base64.b64encode(nonce + sealed).decode()

    def _decrypt(self, name: str, value: str) -> str:
        try:
            sealed = base64.b64decode(value, validate=True)
            nonce, rest = sealed[:_NONCE], sealed[_NONCE:]
            return AESGCM(self._key).decrypt(nonce, rest, name.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise UndecryptableError(
                f"variable {name} was encrypted by another key than this installation has for "
                f"{self._key_arn}: give the function its variables again"
            ) from error
