"""Credentials of functions: the keys that the platform gave to environments, told by their token.

They are derived, not stored (`pilotlight.function_credentials`), and end with their expiry, with
their function, and where its namespace is another account's by now. They have a policy that lets
them invoke, and nothing else: who takes a function over must not have the account. `sigv4` asks for
them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight import function_credentials
from pilotlight.errors import (
    AlreadyExistsError,
    InvalidCredentialsError,
    InvalidResourceError,
    NotFoundError,
)
from pilotlight.identity_policies import parse_identity_policy
from pilotlight.resources import FUNCTIONS_BY_NAME
from pilotlight_gateway.errors import ExpiredTokenError

from .access_keys import AccessKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.function_credentials import FunctionIdentity

__all__ = ["MAY_INVOKE", "FunctionKeys"]

MAY_INVOKE = parse_identity_policy("""{"Statement": {
    "Effect": "Allow", "Resource": "*",
    "Action": ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "execute-api:Invoke"]
}}""")


@dataclass(frozen=True, slots=True)
class FunctionKeys:
    """The keys of the functions that a cache follows."""

    cache: Cache
    accounts: Accounts
    platform_key: bytes = field(repr=False)
    clock: Callable[[], float] = time.time

    async def find(self, access_key: str, session_token: str) -> AccessKey | None:
        """Return the key that a session token belongs to; None where it is none of ours.

        Raises ExpiredTokenError.
        """
        try:
            found = function_credentials.read(self.platform_key, session_token)
        except InvalidCredentialsError:
            return None
        identity = found.identity
        if found.access_key != access_key or not await self._stands(identity):
            return None
        left = identity.expires - self.clock()
        if not 0 <= left <= function_credentials.LIFETIME:  # none is ever issued for longer
            raise ExpiredTokenError("The security token included in the request is expired")
        return AccessKey(
            access_key, found.secret_key, identity.namespace, identity.account,
            identity.function, MAY_INVOKE,
        )  # fmt: skip

    async def _stands(self, identity: FunctionIdentity) -> bool:
        """Say whether the function is there, in the account it was in."""
        await self.cache.synced.wait()
        if not self.cache.by(FUNCTIONS_BY_NAME, (identity.namespace, identity.function)):
            return False
        try:
            return await self.accounts.account(identity.namespace) == identity.account
        except (NotFoundError, InvalidResourceError, AlreadyExistsError):
            return False
