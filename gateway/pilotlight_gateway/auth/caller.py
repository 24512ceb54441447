"""Who calls, and the interface that finds it out; one implementation a module beside this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from multidict import MultiMapping

    from pilotlight.identity_policies import IdentityPolicy

__all__ = ["NOBODY", "Authenticator", "Caller", "Hashed", "RequestHead", "Verify"]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller and its account."""

    account: str
    """12 digits."""
    namespace: str
    principal: str
    function: str = ""
    """Lambda's name of the function that calls with credentials of its own, if one does."""
    policy: IdentityPolicy | None = field(default=None, compare=False, repr=False)
    """What its key may do; None lets it do everything in its account."""

    @property
    def arn(self) -> str:
        """The caller as AWS writes it: a key's user, or the role that a function has assumed."""
        if self.function:
            return f"arn:aws:sts::{self.account}:assumed-role/function/{self.function}"
        return f"arn:aws:iam::{self.account}:user/{self.principal}"


NOBODY = Caller("", "", "anonymous")
"""Who asks for what needs no credentials."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What an authenticator sees of a request beside its body."""

    method: str
    path: str
    """Raw, as it was sent: names in it may hold %2F."""
    raw_query: str
    """As it was sent."""
    headers: MultiMapping[str]
    """Case-insensitive."""

    @property
    def repeated(self) -> set[str]:
        """Lower-cased names of headers that came more than once."""
        names = [name.lower() for name, _ in self.headers.items()]
        if len(set(names)) == len(names):
            return set()
        return {name for name, count in Counter(names).items() if count > 1}


class Hashed(Protocol):
    """A body, whose hash is made for who asks."""

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        ...


Verify = Callable[[Hashed], Caller]
"""Judges a body by its hash, if at all; raises an ApiError of status 403."""


class Authenticator(Protocol):
    """Finds out who calls, in two steps: what may be refused by its head has no body read."""

    async def check_head(self, head: RequestHead) -> Verify:
        """Judge all but the body, and return what judges that; raises an ApiError of 403 or 400."""
        ...
