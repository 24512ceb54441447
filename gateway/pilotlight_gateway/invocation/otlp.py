"""Sends spans to an OTLP receiver over HTTP, in batches and from a thread of the SDK's own.

What OpenTelemetry's variables say of exporters (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`) and of
the resource (`OTEL_RESOURCE_ATTRIBUTES`) holds. A receiver that is away costs spans and never an
invocation: they wait in a bounded queue. `tracing` makes the spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from .tracing import Span

__all__ = ["OtlpExporter"]


class OtlpExporter:
    """One receiver; `endpoint` is its address without the path of its traces."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._resource = Resource.create({
            "service.name": "pilotlight", "cloud.platform": "aws_lambda", "cloud.region": region,
        })  # fmt: skip
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        self._processor = BatchSpanProcessor(exporter)

    def export(self, span: Span) -> None:
        """Have a span sent with the next batch."""
        parent = None if span.parent_id is None else _context(span, span.parent_id)
        status = Status(StatusCode.ERROR, span.error) if span.error else Status()
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span, span.span_id),
                parent=parent,
                resource=self._resource,
                attributes=span.attributes,
                kind=SpanKind.SERVER,
                status=status,
                start_time=span.began,
                end_time=span.ended,
            )
        )

    def close(self) -> None:
        """Send what waits; takes as long as the receiver does, at most the exporter's timeout."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK has no type for it


def _context(span: Span, span_id: int) -> SpanContext:
    return SpanContext(
        span.trace_id,
        span_id,
        is_remote=span_id == span.parent_id,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
