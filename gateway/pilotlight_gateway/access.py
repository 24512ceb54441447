"""What a call would do, in the words of policies: an action, and the resource that it is about.

Each service's door says it of its operations (`apis.service.Endpoint.access`); `authorisation` asks
the policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .exchange import Call
    from .invocation.reference import Reference
    from .services import Services

__all__ = ["EVERYTHING", "Access", "AccessOf", "open_to_all"]

EVERYTHING = ("*",)
"""The resource of an action that is about none: a statement must say * for it."""


@dataclass(frozen=True, slots=True)
class Access:
    """One action on one resource."""

    action: str
    """Such as lambda:InvokeFunction."""
    names: tuple[str, ...]
    """ARNs of the resource, the usual one first; a statement may name it by any of them."""
    function: Reference | None = None
    """The function, version or alias that it is, whose own policy is asked as well."""
    is_shared: bool = False
    """Whether that policy may let other accounts do it."""
    is_of_policy: bool = False
    """Whether it reads or changes that policy, so that the account is not locked out by it."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys of its own, in lower case."""


AccessOf = Callable[["Services", "Call"], tuple[Access, ...]]
"""Tells what a call would do; all of it must be allowed."""


def open_to_all(services: Services, call: Call) -> tuple[Access, ...]:
    """Say of an operation that every caller may ask for it."""
    del services, call
    return ()
