"""How the agent and a managed runtime speak: frames over a socket pair.

A frame is two unsigned 32-bit lengths in network order, a JSON header and a body. An answer that
is written piece by piece comes as chunks before its response or error. The runtime runs
in the function's own interpreter, and not always in Python, so it keeps these names for itself;
tests/agent/test_contract.py holds them equal.
"""

import struct

LENGTHS = struct.Struct("!II")


class Type:
    """What a runtime says: the `type` of a frame's header. It is told of events, and `Word`s."""

    READY = "ready"
    INIT_ERROR = "init-error"
    TAKEN = "taken"
    CHUNK = "chunk"
    RESPONSE = "response"
    ERROR = "error"
    TOO_LARGE = "too-large"


class Word:
    """What a runtime that takes several events is told of one: the `type` of a frame's header."""

    PAUSE = "pause"
    """Write no more of the answer, for who reads it is slow."""
    RESUME = "resume"


class Field:
    """Fields of a frame's header."""

    TYPE = "type"
    REQUEST_ID = "requestId"
    CONTENT_TYPE = "contentType"
    # Of an event.
    FUNCTION_ARN = "functionArn"
    DEADLINE = "deadline"
    TRACE_ID = "traceId"
    TENANT_ID = "tenantId"
    CLIENT_CONTEXT = "clientContext"
    COGNITO_IDENTITY = "cognitoIdentity"
    # Of an answer.
    ERROR_TYPE = "errorType"
    PEAK_KILOBYTES = "peakKilobytes"
    LAST = "last"
    """True where the process ends after it, and takes no event any more."""
