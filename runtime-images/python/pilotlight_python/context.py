"""The context object that a handler gets as its second argument.

Source: AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Python function
information". Names and representations are what functions and their libraries rely on.
"""

import json
import logging
import os
import sys
import time
from typing import Any

from pilotlight_python.channel import Event
from pilotlight_python.fault import FaultError

_W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class _Record:
    """An object with fixed fields, each from a document or None."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, document: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, document.get(name))

    def __repr__(self) -> str:
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class Client(_Record):
    """What a mobile SDK says about its application."""

    __slots__ = (  # noqa: RUF023 -- the order is seen in the representation
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Record):
    """What the caller sent as client context."""

    __slots__ = ("custom", "env", "client")  # noqa: RUF023 -- the order is seen in the representation

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        client = document.get("client")
        self.client = None if client is None else Client(client)


class CognitoIdentity:
    """Whom Amazon Cognito has authenticated, if anybody."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, document: dict[str, Any] | None) -> None:
        self.cognito_identity_id = (document or {}).get("cognitoIdentityId")
        self.cognito_identity_pool_id = (document or {}).get("cognitoIdentityPoolId")

    __repr__ = _Record.__repr__


class LambdaContext:
    """One invocation as the function sees it."""

    def __init__(self, event: Event) -> None:
        client_context = _parse(event.client_context, "Client Context")
        self.aws_request_id = event.request_id
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = event.function_arn
        self.tenant_id = event.tenant_id or None
        self._w3c_fields = _take_trace_context(client_context)
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity(_parse(event.cognito_identity, "Cognito Identity"))
        self._epoch_deadline_time_in_ms = event.deadline

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function times out, 0 at the least."""
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context that came with the client context."""
        return dict(self._w3c_fields)

    @staticmethod
    def log(message: object) -> None:
        """Write to the function's log, without a line end."""
        for handler in logging.getLogger().handlers:
            if hasattr(handler, "log_sink"):
                handler.log_sink.log(str(message))
                return
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        names = (
            *("aws_request_id", "log_group_name", "log_stream_name", "function_name"),
            *("memory_limit_in_mb", "function_version", "invoked_function_arn"),
            *("client_context", "identity", "tenant_id"),
        )
        fields = ",".join(f"{name}={getattr(self, name)}" for name in names)
        return f"LambdaContext([{fields}])"


def _parse(text: str, name: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise FaultError(
            "Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {error}"
        ) from error
    return document


def _take_trace_context(document: dict[str, Any] | None) -> dict[str, str]:
    """Take `w3c` out of a client context, and of it the fields that are text."""
    taken = document.pop("w3c", None) if isinstance(document, dict) else None
    fields = taken if isinstance(taken, dict) else {}
    return {name: fields[name] for name in _W3C_FIELDS if isinstance(fields.get(name), str)}
