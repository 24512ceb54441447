"""The function's log: the root logger's handler, its two formats, and where they write.

Source: AWS Lambda Developer Guide, "Log and monitor Python Lambda functions"; the lines are those
of awslambdaric. Everything ends on standard output, which the agent reads line by line.
"""

import json
import logging
import os
import sys
import time
import traceback
from typing import Any

from pilotlight_python.fault import Report

_TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_TEXT_TIME = "%Y-%m-%dT%H:%M:%S"
_JSON_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LEVEL_ALIASES = {"TRACE": "DEBUG"}
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"aws_request_id", "tenant_id"}
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class StandardLogSink:
    """Writes to whatever standard output is at the moment."""

    @staticmethod
    def log(message: str) -> None:
        """Write text that ends its own lines."""
        sys.stdout.write(message)


class LambdaLoggerHandler(logging.Handler):
    """The root logger's handler; libraries find the sink by its attribute."""

    def __init__(self, log_sink: StandardLogSink) -> None:
        super().__init__()
        self.log_sink = log_sink

    def emit(self, record: logging.LogRecord) -> None:
        """Format and write."""
        self.log_sink.log(self.format(record))


class LambdaLoggerFilter(logging.Filter):
    """Adds the current request id and tenant to every record."""

    def __init__(self) -> None:
        super().__init__()
        self.request_id = ""
        self.tenant_id: str | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.aws_request_id = self.request_id
        record.tenant_id = self.tenant_id
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            "timestamp": time.strftime(_JSON_TIME, time.gmtime(record.created)),
            "level": logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10),
            "message": _message(record),
            "logger": record.name,
            **_error_fields(record),
            "requestId": getattr(record, "aws_request_id", None),
            "tenantId": getattr(record, "tenant_id", None),
        }
        if record.exc_info:
            fields["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        extra = vars(record).items()
        fields |= {k: v for k, v in extra if k not in _STANDARD_FIELDS and k not in fields}
        return _encode({k: v for k, v in fields.items() if v is not None}) + "\n"


class FunctionLog:
    """The log of this process."""

    def __init__(self) -> None:
        self._json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        self._sink = StandardLogSink()
        self._filter = LambdaLoggerFilter()

    def install(self) -> None:
        """Set up the root logger."""
        logging.Formatter.converter = time.gmtime
        handler = LambdaLoggerHandler(self._sink)
        text = logging.Formatter(_TEXT_FORMAT, _TEXT_TIME)
        handler.setFormatter(JsonFormatter() if self._json else text)
        handler.addFilter(self._filter)
        root = logging.getLogger()
        root.addHandler(handler)
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
        level = _LEVEL_ALIASES.get(level, level)
        if isinstance(logging.getLevelName(level), int):  # Python 3.10 has no table of names
            root.setLevel(level)

    def enter(self, request_id: str, tenant_id: str) -> None:
        """Begin a request: its id, and whose it is, are in every record from now on."""
        self._filter.request_id = request_id
        self._filter.tenant_id = tenant_id or None

    def write_error(self, report: Report) -> None:
        """Write an error as one entry."""
        self._sink.log(report.json_entry() if self._json else report.text_entry())


def _message(record: logging.LogRecord) -> Any:
    return record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage()


def _error_fields(record: logging.LogRecord) -> dict[str, object]:
    if not record.exc_info:
        return {}
    kind, error, trace = record.exc_info
    return {
        "stackTrace": traceback.format_tb(trace),
        "errorType": None if kind is None else kind.__name__,
        "errorMessage": str(error),
    }
