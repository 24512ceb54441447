"""The concurrency of an account that no function has for itself: at least 100 of it stay.

A reservation is taken from it, and so is provisioned concurrency; but a function's reservation
contains what is provisioned of it, and may not be less (AWS Lambda Developer Guide, "Configuring
provisioned concurrency"). Texts: lambda.md 1.2 and AWS's own answers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pilotlight.resources import PROVISIONED_ALIASES, PROVISIONED_VERSIONS, Function
from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from pilotlight.resources import FunctionAlias, FunctionVersion, Key
    from pilotlight_gateway.services import Services

__all__ = ["check_provision", "check_reservation"]

LEAST_UNRESERVED = 100


def check_provision(services: Services, function: Key, wanted: int) -> None:
    """Refuse that so much is provisioned of a function that its account has too little left."""
    provisioned = _provisioned(services, function.namespace)
    _check_left(services, provisioned, function, wanted, member="ConcurrentExecutions")


def check_reservation(services: Services, function: Key, wanted: int) -> None:
    """Refuse a reservation that takes too much of its account, or less than is provisioned."""
    provisioned = _provisioned(services, function.namespace)
    if wanted < provisioned[function.name]:
        raise InvalidParameterValueError(
            f"ReservedConcurrentExecutions {wanted} should not be lower than function's total "
            f"provisioned concurrency [{provisioned[function.name]}]."
        )
    member = "ReservedConcurrentExecutions"
    _check_left(services, provisioned, function, wanted, member=member)


def _check_left(
    services: Services, provisioned: Counter[str], function: Key, wanted: int, *, member: str
) -> None:
    """Refuse that a function takes `wanted` in all; it may always take less than it does."""
    taken = provisioned.copy()
    for one in services.cache.all(Function, function.namespace):
        if one.spec.reserved_concurrency is not None:
            taken[one.metadata.name] = one.spec.reserved_concurrency
    more = wanted - taken[function.name]
    left = services.settings.concurrency_limit - taken.total() - more
    if more > 0 and left < LEAST_UNRESERVED:
        raise InvalidParameterValueError(
            f"Specified {member} for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{LEAST_UNRESERVED}]."
        )


def _provisioned(services: Services, namespace: str) -> Counter[str]:
    """Return what is provisioned of each function, by its object's name."""
    everywhere: list[FunctionVersion | FunctionAlias] = [
        *services.cache.by(PROVISIONED_VERSIONS, value=True),
        *services.cache.by(PROVISIONED_ALIASES, value=True),
    ]
    provisioned: Counter[str] = Counter()
    for one in everywhere:
        if one.metadata.namespace == namespace:
            provisioned[one.spec.function] += one.spec.provisioned_concurrency or 0
    return provisioned
