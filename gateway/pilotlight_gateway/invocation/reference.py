"""Finds the function that a request names: name or ARN, qualifier, account and region.

Texts are Lambda's (lambda.md 1.1).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.arn import function_arn, parse_function_reference
from pilotlight.resources import LATEST
from pilotlight_gateway.auth.permissions import denied
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ValidationError,
)

if TYPE_CHECKING:
    from pilotlight_gateway.auth.caller import Caller

__all__ = ["LATEST", "LONGEST_NAME", "Reference", "read_reference", "resolve"]

LONGEST_NAME = 64
_QUALIFIER = re.compile(r"[a-zA-Z0-9-_$]{1,128}|\$LATEST\.PUBLISHED")


@dataclass(frozen=True, slots=True)
class Reference:
    """A function as it was named."""

    namespace: str
    """Empty of another account's, until it is known that the caller may ask for it."""
    account: str
    region: str
    name: str
    qualifier: str | None
    arn: str = field(init=False)
    """The function's ARN with the qualifier that it was named by."""

    def __post_init__(self) -> None:
        arn = function_arn(self.region, self.account, self.name, self.qualifier)
        object.__setattr__(self, "arn", arn)

    @property
    def unqualified_arn(self) -> str:
        """The function's ARN."""
        return function_arn(self.region, self.account, self.name)

    def not_found(self) -> FunctionNotFoundError:
        """Make the error that says the function is not there."""
        return FunctionNotFoundError(f"Function not found: {self.arn}")


def resolve(
    text: str, caller: Caller, region: str, operation: str, qualifier: str | None = None
) -> Reference:
    """Resolve what names a function of the caller's account; raises the error that Lambda raises.

    `operation` is IAM's name of what is to be done with it.
    """
    reference = read_reference(text, caller.namespace, caller.account, region, qualifier)
    if not reference.namespace:
        raise denied(caller.arn, f"lambda:{operation}", reference.arn, "resource", None)
    return reference


@functools.lru_cache(maxsize=4096)
def read_reference(
    text: str, namespace: str, account: str, region: str, qualifier: str | None = None
) -> Reference:
    """Read a `FunctionName` and a `Qualifier`, also of other accounts; raises as `resolve` does.

    Namespace and account are the caller's.
    """
    named = parse_function_reference(text)
    if named is None:
        raise _malformed(text)
    if len(named.name) > LONGEST_NAME:
        raise _refused(named.name, "functionName", f"length less than or equal to {LONGEST_NAME}")
    if qualifier is not None and not _QUALIFIER.fullmatch(qualifier):
        raise _refused(qualifier, "qualifier", "length between 1 and 128, of letters and digits")
    if named.region not in {None, region}:
        raise FunctionNotFoundError(
            f"Functions from '{named.region}' are not reachable in this region ('{region}')"
        )
    if named.qualifier and qualifier and named.qualifier != qualifier:
        raise InvalidParameterValueError(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    if named.account not in {None, account}:
        namespace, account = "", str(named.account)
    return Reference(namespace, account, region, named.name, qualifier or named.qualifier)


def _malformed(text: str) -> ValidationError:
    return ValidationError(
        f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: "
        "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?"
        "(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
    )


def _refused(text: str, member: str, wanted: str) -> ValidationError:
    return ValidationError(
        f"1 validation error detected: Value '{text}' at '{member}' failed to satisfy "
        f"constraint: Member must have {wanted}"
    )
