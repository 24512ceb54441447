"""The concurrency of an account that no function has for itself: at least 100 of it stay.

A reservation is taken from it, and so is provisioned concurrency; but a function's reservation
contains what is provisioned of it (AWS Lambda Developer Guide, "Configuring provisioned
concurrency"). Texts: lambda.md 1.2 and AWS's own answers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pilotlight.resources import Function, FunctionAlias, FunctionVersion
from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from pilotlight.resources import Key
    from pilotlight_gateway.services import Services

__all__ = ["check_provisioned", "check_unreserved"]

LEAST_UNRESERVED = 100


async def check_unreserved(services: Services, function: Key, wanted: int, *, member: str) -> None:
    """Refuse that a function takes more of its account than may be taken; it may always take less.

    `wanted` is what it is to take in all, `member` what the text calls that.
    """
    taken = await _taken(services, function.namespace)
    more = wanted - taken[function.name]
    left = services.settings.concurrency_limit - taken.total() - more
    if more > 0 and left < LEAST_UNRESERVED:
        raise InvalidParameterValueError(
            f"Specified {member} for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{LEAST_UNRESERVED}]."
        )


async def check_provisioned(services: Services, function: Key, reserved: int) -> None:
    """Refuse a reservation that does not contain what is provisioned of its function."""
    provisioned = (await _provisioned(services, function.namespace))[function.name]
    if reserved < provisioned:
        raise InvalidParameterValueError(
            f"ReservedConcurrentExecutions {reserved} should not be lower than function's total "
            f"provisioned concurrency [{provisioned}]."
        )


async def _taken(services: Services, namespace: str) -> Counter[str]:
    """Give what each function of an account takes, by its object's name."""
    taken = await _provisioned(services, namespace)
    for function in await services.resources.list(Function, namespace):
        if function.spec.reserved_concurrency is not None:
            taken[function.metadata.name] = function.spec.reserved_concurrency
    return taken


async def _provisioned(services: Services, namespace: str) -> Counter[str]:
    """Give what is provisioned of each function, by its object's name."""
    published: list[FunctionVersion | FunctionAlias] = [
        *await services.resources.list(FunctionVersion, namespace),
        *await services.resources.list(FunctionAlias, namespace),
    ]
    provisioned: Counter[str] = Counter()
    for one in published:
        provisioned[one.spec.function] += one.spec.provisioned_concurrency or 0
    return provisioned
