"""The Lambda Runtime API on 127.0.0.1, one listener for each execution environment.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API"; the error documents and the
order of the checks follow the runtime interface emulator. A runtime that brings its own bootstrap
gets its events here and nowhere else; managed runtimes find it answering too, for code that looks.
"""

import asyncio
import base64
import binascii
import json
import re
from enum import StrEnum

from pilotlight_agent.http.request import Request, Sink
from pilotlight_agent.http.server import Connection, Serve
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.invocation import Invocation, Result
from pilotlight_wire.protocol import RESPONSE_LIMIT, STREAM_LIMIT

from .credentials_api import CredentialsApi
from .extensions_api import ExtensionsApi
from .link import Listener
from .metadata_api import MetadataApi

_PREFIX = b"/2018-06-01"
INVOCATION = re.compile(_PREFIX + rb"/runtime/invocation/([^/]+)/(response|error)")
"""Where an event is answered: its request id, and how."""
_RESPONSE_MODE = b"lambda-runtime-function-response-mode"
OK = b'{"status": "OK"}'


class Phase(StrEnum):
    """Where a runtime stands in the Runtime API's own order."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONDED = "InvocationResponse"
    FAILED = "InvocationErrorResponse"


_ALLOWED = {
    Phase.STARTED: {Phase.READY, Phase.INIT_ERROR},
    Phase.INIT_ERROR: set[Phase](),
    Phase.READY: {Phase.READY, Phase.RUNNING},
    Phase.RUNNING: {Phase.RESPONDED, Phase.FAILED},
    Phase.RESPONDED: {Phase.READY},
    Phase.FAILED: {Phase.READY},
}


class RuntimeApi:
    """Serves one runtime process after the other; `attach` names who listens to the next one."""

    def __init__(
        self, extensions: ExtensionsApi, metadata: MetadataApi, credentials: CredentialsApi
    ) -> None:
        self.extensions = extensions
        self.metadata = metadata
        self.credentials = credentials
        self.address = ""
        """HOST:PORT, once it listens."""
        self._server: asyncio.Server
        self._listener: Listener | None = None
        self._phase = Phase.STARTED
        self._polling: Connection | None = None
        self._waiting: Invocation | None = None
        self._running: Invocation | None = None
        self._current = ""
        self._greeted = False
        self._heard = False
        self._holds_errors = False
        self._failed: Result | None = None
        self._routes: dict[tuple[bytes, bytes], Serve] = {
            (b"GET", b"/runtime/invocation/next"): self._next,
            (b"POST", b"/runtime/init/error"): self._init_error,
            (b"GET", b"/ping"): _pong,
        }

    async def listen(self) -> None:
        """Open the listener on a free port of the loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    def shut(self) -> None:
        """Close the listener for good, and what was told to extensions."""
        self._server.close()
        self.extensions.telemetry.close()

    def attach(self, listener: Listener, *, holds_errors: bool = False) -> None:
        """Begin with a new runtime process; one that logs an error after it has posted it is heard.

        Its errors are told of once it asks for the next event, or ends.
        """
        self.close()
        self._holds_errors = holds_errors
        self._listener = listener

    @property
    def taken(self) -> bool:
        """Whether the runtime has asked for and got the event."""
        return self._waiting is None

    def deliver(self, invocation: Invocation) -> None:
        """Hand the event to the poll that waits for it, or to the next one."""
        self._waiting = invocation
        if self._polling is not None and not self._polling.closed:
            self._hand_over(self._polling)

    def withdraw(self, invocation: Invocation) -> bool:
        """Take an event back that nobody has asked for yet."""
        if self._waiting is not invocation:
            return False
        self._waiting = None
        return True

    def catch_up(self) -> bool:
        """Tell of an error that was held, and say whether a piece came.

        A runtime waits for the answer to all else that it posts.
        """
        self._tell_failed()
        heard, self._heard = self._heard, False
        return heard

    def close(self) -> None:
        """Forget the process."""
        self._listener = self._polling = self._waiting = self._running = None
        self._phase, self._current, self._greeted = Phase.STARTED, "", False
        self._failed = None

    def _connection(self) -> Connection:
        return Connection(self._serve, RESPONSE_LIMIT, self._truncated, self._open_stream)

    def _serve(self, request: Request, connection: Connection) -> None:
        if not request.target.startswith(_PREFIX):
            others = (self.extensions, self.metadata, self.credentials)
            if not any(other.serve(request, connection) for other in others):
                _not_found(connection)
            return
        path = request.target[len(_PREFIX) :]
        route = self._routes.get((request.method, path))
        if route is not None:
            route(request, connection)
        elif request.method == b"POST" and (match := INVOCATION.fullmatch(request.target)):
            take = self._response if match[2] == b"response" else self._error
            self._serve_outcome(match[1].decode(), take, request, connection)
        else:
            _not_found(connection)

    def _next(self, _request: Request, connection: Connection) -> None:
        if not self._advance(Phase.READY, connection):
            return
        self._tell_failed()
        self._polling = connection
        if self._waiting is not None:
            self._hand_over(connection)
        elif self._listener is not None and not self._greeted:
            self._greeted = True
            self._listener.on_ready()

    def _hand_over(self, connection: Connection) -> None:
        invocation, self._waiting, self._polling = self._waiting, None, None
        if invocation is None:
            return
        self._phase = Phase.RUNNING
        self._running, self._current = invocation, invocation.request_id
        connection.respond(200, invocation.event, event_headers(invocation))

    def _serve_outcome(
        self, request_id: str, take: Serve, request: Request, connection: Connection
    ) -> None:
        if request_id == self._current:
            take(request, connection)
        else:
            refuse(connection, 400, "InvalidRequestID", "Invalid request ID")

    def _response(self, request: Request, connection: Connection) -> None:
        if not refuse_mode(request, connection) and self._advance(Phase.RESPONDED, connection):
            respond(request, connection)
            self._tell(outcome_of(request))

    def _error(self, request: Request, connection: Connection) -> None:
        if self._advance(Phase.FAILED, connection):
            connection.respond(202, OK)
            problem = failure.by_function(error_type_of(request), request.body)
            self._failed = Result(problem.body, "application/json", problem)
            if not self._holds_errors:
                self._tell_failed()

    def _init_error(self, request: Request, connection: Connection) -> None:
        if self._advance(Phase.INIT_ERROR, connection):
            connection.respond(202, OK)
            if self._listener is not None:
                self._listener.on_init_error(error_type_of(request), request.body)

    def _tell_failed(self) -> None:
        """Tell of an error that was held."""
        failed, self._failed = self._failed, None
        if failed is not None:
            self._tell(failed)

    def _tell(self, result: Result) -> None:
        running, self._running = self._running, None
        if self._listener is not None and running is not None:
            self._listener.on_result(self._current, running.complete(result))

    def _streams(self, request: Request, running: Invocation) -> bool:
        """Say whether a request is the answer to what runs, to be taken while it comes."""
        path = b"%b/runtime/invocation/%b/response" % (_PREFIX, running.request_id.encode())
        is_answer = self._phase is Phase.RUNNING and request.target == path
        return is_answer and is_streamed(request)

    def _open_stream(self, connection: Connection, request: Request) -> Sink | None:
        """Take a response that is streamed while it comes; what is none waits to be whole."""
        running = self._running
        if running is None or not self._streams(request, running):
            return None

        def take(piece: bytes) -> None:
            if self._running is running:
                self._heard = True
                running.write(piece, content_type_of(request))
                running.when_full(connection.pause_reading, connection.resume_reading)

        return take

    def _advance(self, phase: Phase, connection: Connection) -> bool:
        """Go on to `phase`, or answer that the order does not allow it."""
        if phase in _ALLOWED[self._phase]:
            self._phase = phase
            return True
        text = (
            f"State transition from {self._phase} to {phase} failed for runtime. "
            "Error: State transition is not allowed"
        )
        refuse(connection, 403, "InvalidStateTransition", text)
        return False

    def _truncated(self, request: Request) -> bytes:
        """Answer a body that ended early; if it was the response, that is all the caller gets."""
        self._break_off(request)
        body = _error_body("TruncatedHTTPRequest", "HTTP request detected as truncated")
        head = (
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
        )
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def _break_off(self, request: Request) -> None:
        """End what runs, if a request that ended early was the response to it."""
        path = INVOCATION.fullmatch(request.target)
        if path is not None and path[1].decode() == self._current and self._phase is Phase.RUNNING:
            self._phase = Phase.RESPONDED
            problem = failure.truncated(self._current)
            asyncio.get_running_loop().call_soon(
                self._tell, Result(problem.body, "application/json", problem)
            )


def event_headers(invocation: Invocation) -> bytes:
    """Return what comes with an event, as header lines."""
    lines = (
        ("Content-Type", invocation.content_type),
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(invocation.deadline)),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn),
        ("Lambda-Runtime-Trace-Id", invocation.trace_id),
        ("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id),
        ("Lambda-Runtime-Client-Context", invocation.client_context),
        ("Lambda-Runtime-Cognito-Identity", invocation.cognito_identity),
    )
    return "".join(f"{name}: {value}\r\n" for name, value in lines if value).encode()


def outcome_of(request: Request) -> Result:
    """Read a response, whose trailers may still turn it into an error."""
    problem: failure.Failure | None = None
    if request.overflow:
        problem = failure.too_large(_limit(request))
    elif b"lambda-runtime-function-error-type" in request.trailers:
        encoded = request.trailers.get(b"lambda-runtime-function-error-body", b"")
        problem = failure.by_function(error_type_of(request), _decode_base64(encoded))
    if problem is not None:
        return Result(problem.body, "application/json", problem)
    return Result(request.body, content_type_of(request))


def refuse_mode(request: Request, connection: Connection) -> bool:
    """Refuse a response whose mode nobody knows; False for any other."""
    mode = request.headers.get(_RESPONSE_MODE, b"")
    if mode.lower() in {b"", b"streaming", b"buffered"}:
        return False
    text = f"Invalid function response mode: {mode.decode('latin-1')}"
    refuse(connection, 400, "InvalidFunctionResponseMode", text)
    return True


def respond(request: Request, connection: Connection) -> None:
    """Say whether a response was taken whole."""
    if request.overflow:
        text = f"Exceeded maximum allowed payload size ({_limit(request)} bytes)."
        refuse(connection, 413, "RequestEntityTooLarge", text)
    else:
        connection.respond(202, OK)


def is_streamed(request: Request) -> bool:
    """Say whether the runtime writes a response piece by piece."""
    return request.headers.get(_RESPONSE_MODE, b"").lower() == b"streaming"


def _limit(request: Request) -> int:
    return STREAM_LIMIT if request.streamed else RESPONSE_LIMIT


def content_type_of(request: Request) -> str:
    """Return the media type of a body."""
    return request.headers.get(b"content-type", b"application/json").decode("latin-1")


def error_type_of(request: Request) -> str:
    """Return what the runtime calls an error."""
    name = b"lambda-runtime-function-error-type"
    return (request.headers.get(name) or request.trailers.get(name) or b"").decode("latin-1")


def _decode_base64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b"{}"


def refuse(connection: Connection, status: int, error_type: str, message: str) -> None:
    """Answer a request with an error in the API's own form."""
    connection.respond(status, _error_body(error_type, message))


def _error_body(error_type: str, message: str) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": error_type}).encode()


def _pong(_request: Request, connection: Connection) -> None:
    connection.respond(200, b"pong", b"Content-Type: text/plain\r\n")


def _not_found(connection: Connection) -> None:
    connection.respond(404, b"404 page not found\n", b"Content-Type: text/plain\r\n")
