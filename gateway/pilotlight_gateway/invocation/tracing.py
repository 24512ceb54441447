"""Tracing of functions whose mode is Active: the sampling decision, and a span an invocation.

The header is X-Ray's (AWS X-Ray Developer Guide, "Tracing header"). Spans go to an OTLP receiver
under the same trace id in W3C's form, through OpenTelemetry's SDK, which is loaded only where there
is one. `invoker` asks here.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pilotlight.errors import PilotlightError
from pilotlight_gateway.errors import ApiError
from pilotlight_gateway.identifiers import new_span_id

from .dispatch.answer_stream import AnswerStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .invocation import Answer, Invocation
    from .reference import Reference

__all__ = ["Span", "Spans", "sampled"]

_DECIDED = re.compile(r"(?:^|;)Sampled=[01](?:;|$)")
_FIELD = re.compile(r"(Root|Parent|Sampled)=([^;]*)")
_TRACE_ID = re.compile(r"1-(?!0{8}-0{24})([0-9a-f]{8})-([0-9a-f]{24})")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
"""All zeros are no ids to W3C and OTLP."""


def sampled(trace_id: str) -> str:
    """Return the trace header of a function that is traced: sampled, unless its caller decided."""
    if not _begins(trace_id) and _DECIDED.search(trace_id):
        return trace_id
    fields = [part for part in trace_id.split(";") if not part.startswith("Sampled=")]
    return ";".join([*fields, "Sampled=1"])


@dataclass(slots=True)
class Span:
    """An invocation as a trace shows it."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    began: int
    """Nanoseconds since the epoch."""
    attributes: dict[str, str | bool]
    """By OpenTelemetry's names (semantic conventions, "FaaS spans" and "AWS Lambda")."""
    ended: int = 0
    error: str = ""
    """What went wrong, if anything did."""


class Spans:
    """Makes a span of each invocation of a trace that is recorded."""

    def __init__(self, export: Callable[[Span], None]) -> None:
        self._export = export

    async def around(
        self,
        reference: Reference,
        invocation: Invocation,
        invoke: Callable[[Invocation], Awaitable[Answer]],
    ) -> Answer:
        """Run an invocation as a span, which is the parent of what the function itself traces."""
        span = _begin(reference, invocation)
        if span is None:
            return await invoke(invocation)
        child = _with_parent(invocation.trace_id, span.span_id)
        try:
            answer = await invoke(replace(invocation, trace_id=child))
        except Exception as error:
            self._end(span, _kind(error))
            raise
        if isinstance(answer.body, AnswerStream):  # it may still become an error
            answer.body.when_ended(lambda: self._answered(span, answer))
        else:
            self._answered(span, answer)
        return answer

    def _answered(self, span: Span, answer: Answer) -> None:
        report = answer.report
        span.attributes["faas.version"] = answer.version
        span.attributes["faas.coldstart"] = bool(report and report.init_duration_ms is not None)
        failed = answer.function_error is not None
        self._end(span, (report.status if report else "crash") if failed else "")

    def _end(self, span: Span, error: str) -> None:
        span.ended, span.error = time.time_ns(), error
        if error:
            span.attributes["error.type"] = error
        self._export(span)


def _begin(reference: Reference, invocation: Invocation) -> Span | None:
    """Begin the span of an invocation; None where its trace is not recorded."""
    header = invocation.trace_id
    given = dict(_FIELD.findall(header))
    trace_id = _TRACE_ID.fullmatch(given.get("Root", ""))
    if given.get("Sampled") != "1" or trace_id is None:
        return None
    parent = "" if _begins(header) else given.get("Parent", "")
    return Span(
        name=reference.name,
        trace_id=int(trace_id[1] + trace_id[2], 16),
        span_id=new_span_id(),
        parent_id=int(parent, 16) if _SPAN_ID.fullmatch(parent) else None,
        began=time.time_ns(),
        attributes=_attributes(reference, invocation),
    )


def _begins(header: str) -> bool:
    """Whether a trace begins with this invocation: a header that came with it counts a hop."""
    return "Lineage=" not in header


def _kind(error: Exception) -> str:
    if isinstance(error, ApiError):
        return error.type
    return error.code if isinstance(error, PilotlightError) else type(error).__name__


def _attributes(reference: Reference, invocation: Invocation) -> dict[str, str | bool]:
    return {
        "faas.invocation_id": invocation.request_id,
        "faas.name": reference.name,
        "aws.lambda.invoked_arn": invocation.function_arn,
        "cloud.resource_id": reference.unqualified_arn,
        "cloud.account.id": reference.account,
    }


def _with_parent(trace_id: str, span_id: int) -> str:
    fields = [part for part in trace_id.split(";") if not part.startswith("Parent=")]
    return ";".join([fields[0], f"Parent={span_id:016x}", *fields[1:]])
