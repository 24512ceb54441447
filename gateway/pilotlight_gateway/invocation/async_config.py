"""Which settings an event goes by: those of the qualifier that was invoked, else Lambda's defaults.

AWS Lambda API reference, "FunctionEventInvokeConfig": a version and an alias have their own, and
take nothing from the function's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import AsyncConfig

from .reference import LATEST

if TYPE_CHECKING:
    from pilotlight_gateway.services import Services

    from .reference import Reference
    from .targets import Target

__all__ = ["async_config"]

_DEFAULT = AsyncConfig()


async def async_config(services: Services, reference: Reference, target: Target) -> AsyncConfig:
    """Give the settings of what was invoked."""
    qualifier = reference.qualifier
    found: AsyncConfig | None
    if qualifier in {None, LATEST}:
        found = target.function.spec.async_
    elif target.published is not None and qualifier == target.published.number:
        found = target.published.spec.async_
    else:
        alias = await services.published.alias(target.function.key, qualifier or "")
        found = alias.spec.async_ if alias else None
    return found or _DEFAULT
