"""One attempt at an event or a batch: invoke a function as any caller would, say what happened.

The same request id, the same way and the same limits as a synchronous invocation; `decide` makes of
the outcome what Lambda makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.errors import PilotlightError, ThrottledError
from pilotlight_gateway.errors import ApiError, FunctionNotFoundError, RecursiveInvocationError

if TYPE_CHECKING:
    from pilotlight_gateway.invocation.invocation import Invocation
    from pilotlight_gateway.invocation.invoker import Invoker
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.invocation.targets import Target

__all__ = ["NotRun", "Outcome", "Ran", "Refused", "attempt"]


@dataclass(frozen=True, slots=True)
class Ran:
    """The function ran, and answered or failed."""

    payload: bytes
    version: str
    function_error: str | None = None
    seconds: float | None = None
    """How long, without the start of its environment, where the agent told."""


@dataclass(frozen=True, slots=True)
class NotRun:
    """Nothing ran: a limit or the platform stood in the way."""

    reason: str
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing ran, and nothing would; `condition` is Lambda's word for why."""

    condition: str
    reason: str


Outcome = Ran | NotRun | Refused


async def attempt(
    invoker: Invoker, invocation: Invocation, reference: Reference, target: Target
) -> Outcome:
    """Run a function once, unless it must not run."""
    if target.function.spec.reserved_concurrency == 0:
        return Refused("ZeroReservedConcurrency", "The function's reserved concurrency is 0.")
    try:
        answer = await invoker.invoke(reference, invocation, target)
        seconds = answer.report.duration_ms / 1000 if answer.report else None
        return Ran(await answer.read(), answer.version, answer.function_error, seconds)
    except ThrottledError as error:
        return NotRun(error.reason, throttled=True)
    except RecursiveInvocationError as error:
        return Refused("RecursiveInvocation", error.message)
    except FunctionNotFoundError as error:
        return Refused("FunctionNotFound", error.message)
    except (ApiError, PilotlightError) as error:
        return NotRun(str(error))
