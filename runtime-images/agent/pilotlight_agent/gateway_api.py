"""What gateways ask of the agent: HTTP/1.1 under `/v1`, with the pod's token.

`invoke` is the hot path and is answered by callbacks, without a task; the rest may take its time.
The contract is `pilotlight_wire.protocol`.
"""

import asyncio
import base64
import hmac
import json
import os
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from urllib.parse import parse_qs, urlsplit

from pilotlight_wire import events
from pilotlight_wire.archive import ArchiveError
from pilotlight_wire.message import InvalidMessageError, Message
from pilotlight_wire.protocol import RESPONSE_LIMIT, Error, Header, Path, State, token_digest
from pilotlight_wire.specialisation import (
    EnvironmentState,
    Fence,
    MoreEnvironments,
    PodState,
    Specialisation,
    Specialised,
)

from .answer_stream import AnswerStream
from .errors import (
    AlreadySpecialisedError,
    BusyError,
    CodeMismatchError,
    CodeUnavailableError,
    DrainingError,
    NotSpecialisedError,
)
from .http.request import Request
from .http.server import Connection
from .invocations.failure import Failure
from .invocations.invocation import Answer, Invocation, Refusal
from .journal import Cursor
from .lifecycle.leased import Leased
from .lifecycle.pod import Pod

_ERRORS: dict[type[Exception], Error] = {
    InvalidMessageError: Error.INVALID_REQUEST,
    AlreadySpecialisedError: Error.ALREADY_SPECIALISED,
    BusyError: Error.ENVIRONMENT_BUSY,
    NotSpecialisedError: Error.NOT_SPECIALISED,
    DrainingError: Error.DRAINING,
    CodeMismatchError: Error.CODE_MISMATCH,
    ArchiveError: Error.INVALID_ARCHIVE,
    CodeUnavailableError: Error.CODE_UNAVAILABLE,
}


def _key(header: Header) -> bytes:
    return header.key.encode()


# Looked up once, not at every invocation.
_ENVIRONMENT, _LEASE = _key(Header.ENVIRONMENT), _key(Header.LEASE)
_REQUEST_ID, _DEADLINE_MS = _key(Header.REQUEST_ID), _key(Header.DEADLINE_MS)
_FUNCTION_ARN, _TRACE_ID = _key(Header.FUNCTION_ARN), _key(Header.TRACE_ID)
_TENANT_ID = _key(Header.TENANT_ID)
_CLIENT_CONTEXT, _COGNITO_IDENTITY = _key(Header.CLIENT_CONTEXT), _key(Header.COGNITO_IDENTITY)
_LOG_TAIL, _STREAM = _key(Header.LOG_TAIL), _key(Header.STREAM)
_FAILED = f"{Header.FUNCTION_ERROR}: Unhandled\r\n"
_ACCOUNT = f"%s{Header.REPORT}: %s\r\n%s{Header.ENVIRONMENT_STATE}: %s\r\n{Header.FREE}: now\r\n"
_ANSWER = "Content-Type: %s\r\n" + _ACCOUNT
_UNINITIALISED = f"{Header.INITIALISED}: no\r\n"
_LARGEST_DOCUMENT = 32_768
"""Bytes of a function's error among trailers."""

_Route = Callable[[Request, Connection], None]
_Work = Callable[[Request], Coroutine[None, None, Message]]


class GatewayApi:
    """Routes requests to the pod; `token_sha256` is the hex digest of the only token it takes."""

    def __init__(self, pod: Pod, token_sha256: str) -> None:
        self._pod = pod
        self._token_sha256 = token_sha256.lower()
        self._credentials = b""
        """What a gateway with the right token sends, once one has."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes = {Path.LIVE.encode(): self._live, Path.READY.encode(): self._ready}
        self._routes: dict[tuple[bytes, bytes], _Route] = {
            (b"POST", Path.INVOKE.encode()): self._invoke,
            (b"GET", Path.STATUS.encode()): self._status,
            (b"GET", Path.SETTLED.encode()): self._in_task(self._settled),
            (b"GET", Path.EVENTS.encode()): self._events,
            (b"POST", Path.SPECIALISE.encode()): self._in_task(self._specialise),
            (b"POST", Path.ENVIRONMENTS.encode()): self._in_task(self._start_environments),
            (b"POST", Path.FENCE.encode()): self._in_task(self._fence),
            (b"POST", Path.DRAIN.encode()): self._in_task(self._drain),
        }

    def connection(self) -> Connection:
        """Return asyncio's protocol for a new connection."""
        return Connection(self._serve, RESPONSE_LIMIT)

    def _serve(self, request: Request, connection: Connection) -> None:
        path = request.target.partition(b"?")[0]
        if request.method == b"GET" and (probe := self._probes.get(path)) is not None:
            probe(connection)
            return
        route = self._routes.get((request.method, path))
        if not self._authentic(request):
            _refuse(connection, Error.UNAUTHORIZED, "the token is missing or wrong")
        elif route is None:
            _refuse(connection, Error.NOT_FOUND, "there is no such operation")
        elif request.overflow:
            message = f"more than {RESPONSE_LIMIT} bytes came"
            _refuse(connection, Error.REQUEST_TOO_LARGE, message)
        else:
            route(request, connection)

    def _authentic(self, request: Request) -> bool:
        given = request.headers.get(b"authorization", b"")
        if self._credentials and hmac.compare_digest(given, self._credentials):
            return True
        scheme, _, token = given.partition(b" ")
        digest = token_digest(token)
        right = scheme == b"Bearer" and hmac.compare_digest(digest, self._token_sha256)
        if right:
            self._credentials = given
        return right

    def _live(self, connection: Connection) -> None:
        connection.respond(200, b"ok\n", b"Content-Type: text/plain\r\n")

    def _ready(self, connection: Connection) -> None:
        if self._pod.ready:
            self._live(connection)
        else:
            _refuse(connection, Error.NOT_READY, "the pod drains, or its zygote is starting")

    # The hot path.

    def _invoke(self, request: Request, connection: Connection) -> None:
        try:
            environment = self._find_environment(request)
            invocation = _read_invocation(request, connection)
        except (KeyError, ValueError, RecursionError) as error:
            _refuse(connection, Error.INVALID_REQUEST, f"malformed invocation: {error}")
            return
        if isinstance(environment, Refusal):
            invocation.reply(environment)
        elif 0 < invocation.start_by < time.time() * 1000:
            message = "the deadline passed before the start"
            invocation.reply(Refusal(Error.DEADLINE_PASSED, message))
        else:
            environment.invoke(invocation)

    def _find_environment(self, request: Request) -> Leased | Refusal:
        """Return the environment of a valid lease that can run something now."""
        pod, headers = self._pod, request.headers
        if pod.draining:
            return Refusal(Error.DRAINING, "the pod takes nothing new")
        if not pod.specialised:
            return Refusal(Error.NOT_SPECIALISED, "the pod has no revision")
        environment = pod.environments.get(headers.get(_ENVIRONMENT, b"").decode())
        if environment is None:
            return Refusal(Error.UNKNOWN_ENVIRONMENT, "there is no environment of this id")
        if headers.get(_TENANT_ID, b"") != pod.tenant:
            return Refusal(Error.WRONG_TENANT, "the environment is another tenant's")
        return _take(environment, headers.get(_LEASE, b""))

    # The rest.

    def _status(self, _request: Request, connection: Connection) -> None:
        connection.respond_json(200, _state(self._pod).to_json())

    def _events(self, request: Request, connection: Connection) -> None:
        query = parse_qs(urlsplit(request.target.decode()).query)
        after = query.get(events.AFTER, [""])[0]
        seen = int(after) if after.isdecimal() else self._pod.journal.last
        wanted = query.get(events.ENVIRONMENT, [""])[0]
        if (environment := self._pod.environments.get(wanted)) is not None:
            seen = max(seen, environment.born)  # what was before was no loss of its
        cursor = Cursor(
            self._pod.journal,
            seen,
            connection.send_chunk,
            lambda: connection.writable,
            wanted,
        )
        connection.stream("application/x-ndjson", cursor.advance, cursor.close)
        cursor.advance()

    async def _specialise(self, request: Request) -> Specialised:
        installation = await self._pod.specialise(Specialisation.parse(request.body))
        return Specialised(
            environments=_describe(self._pod.environments.values()),
            fetch_milliseconds=round(installation.fetch, 3),
            unpack_milliseconds=round(installation.unpack, 3),
            processors=os.cpu_count() or 1,
        )

    async def _start_environments(self, request: Request) -> Specialised:
        count = MoreEnvironments.parse(request.body).count
        return Specialised(environments=_describe(await self._pod.start_environments(count)))

    async def _fence(self, request: Request) -> PodState:
        self._pod.fence(Fence.parse(request.body).epoch)
        return _state(self._pod)

    async def _settled(self, _request: Request) -> Specialised:
        await self._pod.settle()
        return Specialised(environments=_describe(self._pod.environments.values()))

    async def _drain(self, _request: Request) -> PodState:
        await self._pod.drain()
        asyncio.get_running_loop().call_soon(self._pod.finished.set)
        return _state(self._pod)

    def _in_task(self, work: _Work) -> _Route:
        """Make a route of work that takes its time."""

        def route(request: Request, connection: Connection) -> None:
            task = asyncio.create_task(_answer(work(request), connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return route


async def _answer(work: Coroutine[None, None, Message], connection: Connection) -> None:
    try:
        connection.respond_json(200, (await work).to_json())
    except tuple(_ERRORS) as error:
        _refuse(connection, _ERRORS[type(error)], str(error))
    except Exception as error:  # noqa: BLE001 -- a full disk, say: it needs an answer like any other
        _refuse(connection, Error.AGENT_FAILED, f"{type(error).__name__}: {error}")


def _take(environment: Leased, lease: bytes) -> Leased | Refusal:
    """Take an environment under a lease `GATEWAY/EPOCH`; an older epoch than one seen is stale."""
    if not lease or lease != environment.lease:
        holder, _, epoch = lease.decode().rpartition("/")
        if not epoch.isdecimal() or int(epoch) < environment.epoch:
            message = f"epoch {epoch!r} is not {environment.epoch} or newer"
            return Refusal(Error.STALE_LEASE, message)
        environment.lease, environment.epoch, environment.holder = lease, int(epoch), holder
    if environment.state is State.BUSY:
        return Refusal(Error.ENVIRONMENT_BUSY, "the environment runs an invocation")
    if environment.state is State.ENDED:
        return Refusal(Error.ENVIRONMENT_ENDED, "the environment has ended")
    return environment


def _read_invocation(request: Request, connection: Connection) -> Invocation:
    headers = request.headers
    get = headers.get
    client_context = get(_CLIENT_CONTEXT, b"")
    stream = AnswerStream(connection) if get(_STREAM) == b"1" else None
    return Invocation(
        request_id=headers[_REQUEST_ID].decode(),
        event=request.body,
        content_type=get(b"content-type", b"application/json").decode(),
        function_arn=get(_FUNCTION_ARN, b"").decode(),
        trace_id=get(_TRACE_ID, b"").decode(),
        tenant_id=get(_TENANT_ID, b"").decode(),
        client_context=_decode_context(client_context) if client_context else "",
        cognito_identity=get(_COGNITO_IDENTITY, b"").decode(),
        start_by=int(get(_DEADLINE_MS, b"0")),
        tail=bytearray() if get(_LOG_TAIL) == b"1" else None,
        reply=partial(_reply, connection) if stream is None else partial(_end, stream, connection),
        stream=stream,
    )


def _decode_context(encoded: bytes) -> str:
    """Return the client context as JSON that fits in a header."""
    return json.dumps(json.loads(base64.b64decode(encoded, validate=True)))


def _reply(connection: Connection, answer: Answer | Refusal) -> None:
    if isinstance(answer, Refusal):
        _refuse(connection, answer.error, answer.message)
        return
    body, content_type, problem, _ = answer.result
    tail = "" if answer.tail is None else f"{Header.LOG_TAIL}: {answer.tail.decode()}\r\n"
    headers = _ANSWER % (
        content_type,
        "" if problem is None else _failed(problem),
        answer.report.header(),
        tail,
        answer.state,
    )
    connection.respond(200, body, headers.encode("latin-1"))


def _failed(problem: Failure) -> str:
    return _FAILED + _UNINITIALISED if problem.at_init else _FAILED


def _end(stream: AnswerStream, connection: Connection, answer: Answer | Refusal) -> None:
    """Reply, or end what is being sent already: what is said of it then are trailers."""
    if not stream.begun:
        _reply(connection, answer)
    elif isinstance(answer, Refusal):
        stream.break_off()
    else:
        body, _, problem, _ = answer.result
        stream.end(body if problem is None else b"", _trailers(answer))


def _trailers(answer: Answer) -> bytes:
    _, _, problem, _ = answer.result
    failed = ""
    if problem is not None:
        failed = f"{_FAILED}{Header.ERROR_DOCUMENT}: {_document(problem).decode()}\r\n"
    tail = "" if answer.tail is None else f"{Header.LOG_TAIL}: {answer.tail.decode()}\r\n"
    return (_ACCOUNT % (failed, answer.report.header(), tail, answer.state)).encode("latin-1")


def _document(problem: Failure) -> bytes:
    document = problem.body
    if len(document) > _LARGEST_DOCUMENT:
        said = {"errorType": problem.error_type, "errorMessage": "the error is too long to be told"}
        document = json.dumps(said).encode()
    return base64.b64encode(document)


def _refuse(connection: Connection, error: Error, message: str) -> None:
    connection.respond_json(error.status, error.document(message))


def _state(pod: Pod) -> PodState:
    return PodState(
        state="specialised" if pod.specialised else "generic",
        draining=pod.draining,
        revision=pod.revision,
        object_name=pod.object_name,
        environments=_describe(pod.environments.values()),
    )


def _describe(environments: Iterable[Leased]) -> list[EnvironmentState]:
    return [
        EnvironmentState(
            id=each.identity,
            state=each.state,
            initialised=each.initialised,
            epoch=each.epoch,
            holder=each.holder,
        )
        for each in environments
    ]
