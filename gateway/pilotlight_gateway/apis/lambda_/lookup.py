"""Finds what a management call names: in the store, where what was just written is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pilotlight.errors import NotFoundError
from pilotlight.resources import Function
from pilotlight_gateway.errors import FunctionNotFoundError
from pilotlight_gateway.invocation.reference import LATEST, Reference

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.targets import Target
    from pilotlight_gateway.services import Services

__all__ = ["find", "find_named", "find_target_of", "find_unqualified"]


async def find(services: Services, call: Call) -> Function:
    """Read the function that a request names from the store; raises ResourceNotFoundException."""
    reference = call.function
    if reference.qualifier not in {None, LATEST}:
        raise reference.not_found()
    try:
        key = await services.catalogue.key_of(reference.namespace, reference.name)
        return await services.resources.get(Function, key)
    except NotFoundError as error:
        raise reference.not_found() from error


async def find_unqualified(services: Services, call: Call) -> Function:
    """Read the function that a request names, whatever its qualifier names of it."""
    return await find_named(services, call.function)


async def find_named(services: Services, reference: Reference) -> Function:
    """Read the function of a reference from the store; raises ResourceNotFoundException."""
    try:
        key = await services.catalogue.key_of(reference.namespace, reference.name)
        return await services.resources.get(Function, key)
    except NotFoundError as error:
        raise replace(reference, qualifier=None).not_found() from error


async def find_target_of(services: Services, call: Call) -> tuple[Reference, Target]:
    """Return what a request names, and what that means; raises ResourceNotFoundException."""
    reference = call.function
    try:
        function = await find_unqualified(services, call)
    except FunctionNotFoundError as error:
        raise reference.not_found() from error  # with the qualifier that was asked for
    return reference, await services.targets.of(reference, function, draw=False)
