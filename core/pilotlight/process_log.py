"""How the cluster's processes log: one JSON object a line, on standard output.

Tracebacks come without local variables, which hold keys and passwords. Libraries that use Python's
own logging are heard from warnings up.
"""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["log_as_json"]


def log_as_json() -> None:
    """Log as JSON from now on."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
    ]
    structlog.configure(processors=[*shared, structlog.processors.JSONRenderer()])
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
