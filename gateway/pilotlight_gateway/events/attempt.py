"""One attempt at an event: invoke the function as a caller would, and say what happened.

The same request id, the same way and the same limits as a synchronous invocation; `decide` makes of
the outcome what Lambda makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.errors import PilotlightError, ThrottledError
from pilotlight_gateway.apis.lambda_.invoke import run
from pilotlight_gateway.errors import ApiError, FunctionNotFoundError
from pilotlight_gateway.invocation.invocation import Answer, Invocation
from pilotlight_gateway.invocation.lineage import MOST_HOPS, hops
from pilotlight_gateway.invocation.reference import Reference

from .decide import FunctionFailed, NotRun, Outcome, Refused, Response, Succeeded

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Event
    from pilotlight_gateway.invocation.targets import Target
    from pilotlight_gateway.services import Services

__all__ = ["attempt", "reference_of"]


def reference_of(event: Event, region: str) -> Reference:
    """Give what an event was meant for."""
    return Reference(
        event.namespace, event.account, region, event.function, event.qualifier or None
    )


async def attempt(services: Services, event: Event, target: Target) -> Outcome:
    """Run an event's function once, unless it must not run."""
    reference = reference_of(event, services.settings.region)
    refusal = _refusal(event, reference, target)
    if refusal is not None:
        return refusal
    invocation = Invocation(event.id, reference.arn, event.trace_id, event.payload)
    try:
        ran, answer = await run(services, reference, target, invocation)
        return await _ran(answer, ran.version)
    except ThrottledError as error:
        return NotRun(error.reason, throttled=True)
    except FunctionNotFoundError as error:
        return Refused("FunctionNotFound", error.message)
    except (ApiError, PilotlightError) as error:
        return NotRun(str(error))


def _refusal(event: Event, reference: Reference, target: Target) -> Refused | None:
    if target.function.spec.reserved_concurrency == 0:
        return Refused("ZeroReservedConcurrency", "The function's reserved concurrency is 0.")
    if hops(event.trace_id, reference.unqualified_arn) > MOST_HOPS:
        return Refused(
            "RecursiveInvocation",
            f"The function was invoked more than {MOST_HOPS} times in one chain of requests: "
            "a recursive loop.",
        )
    return None


async def _ran(answer: Answer, version: str) -> Outcome:
    body = answer.body
    payload = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
    response = Response(payload, version, answer.function_error)
    return FunctionFailed(response) if answer.function_error else Succeeded(response)
