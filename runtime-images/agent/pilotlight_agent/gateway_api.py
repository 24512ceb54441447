"""What gateways ask of the agent: HTTP/1.1 under `/v1`, with the pod's token.

`invoke` is the hot path and is answered by callbacks, without a task; the rest may take its time.
The contract is "Gateway to agent" in the project's architecture page: 409 means that nothing was
started and the caller may go elsewhere, 200 that the function's answer, or Lambda's words about
it, is the body.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Coroutine
from urllib.parse import parse_qs, urlsplit

from pilotlight_agent import specification
from pilotlight_agent.environment import Environment, State
from pilotlight_agent.failure import RESPONSE_LIMIT
from pilotlight_agent.invocation import Answer, Invocation, Refusal
from pilotlight_agent.journal import Cursor
from pilotlight_agent.package import CodeMismatchError, CodeUnavailableError
from pilotlight_agent.pod import AlreadySpecialisedError, DrainingError, NotSpecialisedError, Pod
from pilotlight_agent.server import Connection
from pilotlight_agent.specification import InvalidSpecificationError
from pilotlight_agent.wire import Request
from pilotlight_wire.archive import ArchiveError

_MOST_ENVIRONMENTS = 64
_REFUSALS: dict[type[Exception], tuple[int, str, bool]] = {
    InvalidSpecificationError: (400, "InvalidRequest", False),
    AlreadySpecialisedError: (409, "AlreadySpecialised", False),
    NotSpecialisedError: (409, "NotSpecialised", True),
    DrainingError: (409, "Draining", True),
    CodeMismatchError: (422, "CodeMismatch", False),
    ArchiveError: (422, "InvalidArchive", False),
    CodeUnavailableError: (502, "CodeUnavailable", True),
}

_Route = Callable[[Request, Connection], None]
_Work = Callable[[Request], Coroutine[None, None, dict[str, object]]]


class GatewayApi:
    """Routes requests to the pod; `token_sha256` is the hex digest of the only token it takes."""

    def __init__(self, pod: Pod, token_sha256: str) -> None:
        self._pod = pod
        self._token_sha256 = token_sha256.lower()
        self._tasks: set[asyncio.Task[None]] = set()
        self._routes: dict[tuple[bytes, bytes], _Route] = {
            (b"POST", b"/v1/invoke"): self._invoke,
            (b"GET", b"/v1/status"): self._status,
            (b"GET", b"/v1/settled"): self._in_task(self._settled),
            (b"GET", b"/v1/events"): self._events,
            (b"POST", b"/v1/specialise"): self._in_task(self._specialise),
            (b"POST", b"/v1/environments"): self._in_task(self._start_environments),
            (b"POST", b"/v1/drain"): self._in_task(self._drain),
        }

    def connection(self) -> Connection:
        """Give asyncio a protocol for a new connection."""
        return Connection(self._serve, RESPONSE_LIMIT)

    def _serve(self, request: Request, connection: Connection) -> None:
        path = request.target.partition(b"?")[0]
        if request.method == b"GET" and path in {b"/live", b"/ready"}:
            self._health(path == b"/ready", connection)
            return
        route = self._routes.get((request.method, path))
        if not self._authentic(request):
            _refuse(connection, 401, "Unauthorized", "the token is missing or wrong")
        elif route is None:
            _refuse(connection, 404, "NotFound", "there is no such operation")
        elif request.overflow:
            _refuse(connection, 413, "RequestTooLarge", f"more than {RESPONSE_LIMIT} bytes came")
        else:
            route(request, connection)

    def _authentic(self, request: Request) -> bool:
        scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
        digest = hashlib.sha256(token).hexdigest()
        return scheme == b"Bearer" and hmac.compare_digest(digest, self._token_sha256)

    def _health(self, of_readiness: bool, connection: Connection) -> None:  # noqa: FBT001 -- which of two paths
        if of_readiness and not self._pod.ready:
            _refuse(connection, 503, "NotReady", "the pod drains, or its zygote is starting")
        else:
            connection.respond(200, b"ok\n", b"Content-Type: text/plain\r\n")

    # The hot path.

    def _invoke(self, request: Request, connection: Connection) -> None:
        try:
            environment = self._find_environment(request)
            invocation = _read_invocation(request, connection)
        except (KeyError, ValueError, RecursionError) as error:
            _refuse(connection, 400, "InvalidRequest", f"malformed invocation: {error}")
            return
        if isinstance(environment, Refusal):
            invocation.reply(environment)
        elif 0 < invocation.start_by < time.time() * 1000:
            invocation.reply(Refusal("DeadlinePassed", "the deadline passed before the start"))
        else:
            environment.invoke(invocation)

    def _find_environment(self, request: Request) -> Environment | Refusal:
        """Give the environment of a valid lease that can run something now."""
        pod, headers = self._pod, request.headers
        if pod.draining:
            return Refusal("Draining", "the pod takes nothing new")
        if not pod.specialised:
            return Refusal("NotSpecialised", "the pod has no revision")
        environment = pod.environments.get(headers.get(b"pilotlight-environment", b"").decode())
        if environment is None:
            return Refusal("UnknownEnvironment", "there is no environment of this id")
        return _take(environment, headers.get(b"pilotlight-lease", b"").decode())

    # The rest.

    def _status(self, _request: Request, connection: Connection) -> None:
        pod = self._pod
        connection.respond_json(
            200,
            {
                "state": "specialised" if pod.specialised else "generic",
                "draining": pod.draining,
                "revision": pod.revision,
                "environments": [_describe(each) for each in pod.environments.values()],
            },
        )

    def _events(self, request: Request, connection: Connection) -> None:
        query = parse_qs(urlsplit(request.target.decode()).query)
        after = query.get("after", [""])[0]
        seen = int(after) if after.isdecimal() else self._pod.journal.last
        cursor = Cursor(self._pod.journal, seen, connection.send_chunk, lambda: connection.writable)
        connection.on_lost = cursor.close
        connection.stream("application/x-ndjson", cursor.advance)
        cursor.advance()

    async def _specialise(self, request: Request) -> dict[str, object]:
        installation = await self._pod.specialise(specification.parse(request.body))
        return {
            "environments": [_summary(each) for each in self._pod.environments.values()],
            "fetchMilliseconds": round(installation.fetch, 3),
            "unpackMilliseconds": round(installation.unpack, 3),
            "processors": os.cpu_count() or 1,
        }

    async def _start_environments(self, request: Request) -> dict[str, object]:
        started = await self._pod.start_environments(_read_count(request.body))
        return {"environments": [_summary(each) for each in started]}

    async def _settled(self, _request: Request) -> dict[str, object]:
        await self._pod.settle()
        return {"environments": [_summary(each) for each in self._pod.environments.values()]}

    async def _drain(self, _request: Request) -> dict[str, object]:
        await self._pod.drain()
        asyncio.get_running_loop().call_soon(self._pod.finished.set)
        return {"state": "drained"}

    def _in_task(self, work: _Work) -> _Route:
        """Make a route of work that takes its time."""

        def route(request: Request, connection: Connection) -> None:
            task = asyncio.create_task(_answer(work(request), connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return route


async def _answer(work: Coroutine[None, None, dict[str, object]], connection: Connection) -> None:
    try:
        connection.respond_json(200, await work)
    except tuple(_REFUSALS) as error:
        status, code, retryable = _REFUSALS[type(error)]
        _refuse(connection, status, code, str(error) or code, retryable=retryable)
    except Exception as error:  # noqa: BLE001 -- a full disk, say: it needs an answer like any other
        _refuse(connection, 500, "AgentFailed", f"{type(error).__name__}: {error}", retryable=True)


def _take(environment: Environment, lease: str) -> Environment | Refusal:
    """Take an environment under a lease `GATEWAY/EPOCH`; an older epoch than one seen is stale."""
    holder, _, epoch = lease.rpartition("/")
    if not epoch.isdecimal() or int(epoch) < environment.epoch:
        return Refusal("StaleLease", f"epoch {epoch!r} is not {environment.epoch} or newer")
    environment.epoch, environment.holder = int(epoch), holder
    if environment.state is State.BUSY:
        return Refusal("EnvironmentBusy", "the environment runs an invocation")
    if environment.state is State.ENDED:
        return Refusal("EnvironmentEnded", "the environment has ended")
    return environment


def _read_invocation(request: Request, connection: Connection) -> Invocation:
    headers = request.headers
    get = headers.get
    client_context = get(b"pilotlight-client-context", b"")
    return Invocation(
        request_id=headers[b"pilotlight-request-id"].decode(),
        event=request.body,
        content_type=get(b"content-type", b"application/json").decode(),
        function_arn=get(b"pilotlight-function-arn", b"").decode(),
        trace_id=get(b"pilotlight-trace-id", b"").decode(),
        client_context=_decode_context(client_context) if client_context else "",
        cognito_identity=get(b"pilotlight-cognito-identity", b"").decode(),
        start_by=int(get(b"pilotlight-deadline-ms", b"0")),
        tail=bytearray() if get(b"pilotlight-log-tail") == b"1" else None,
        reply=lambda answer: _reply(connection, answer),
    )


def _decode_context(encoded: bytes) -> str:
    """Give the client context as JSON that fits in a header."""
    return json.dumps(json.loads(base64.b64decode(encoded, validate=True)))


def _reply(connection: Connection, answer: Answer | Refusal) -> None:
    if isinstance(answer, Refusal):
        _refuse_invocation(connection, answer)
        return
    error = "Pilotlight-Function-Error: Unhandled\r\n" if answer.failed else ""
    tail = "" if answer.tail is None else f"Pilotlight-Log-Tail: {answer.tail.decode()}\r\n"
    headers = (
        f"Content-Type: {answer.content_type}\r\n{error}"
        f"Pilotlight-Report: {answer.report.header()}\r\n{tail}"
        f"Pilotlight-Environment-State: {answer.state}\r\nPilotlight-Free: now\r\n"
    )
    connection.respond(200, answer.body, headers.encode("latin-1"))


def _refuse_invocation(connection: Connection, refusal: Refusal) -> None:
    _refuse(connection, 409, refusal.code, refusal.message, retryable=True)


def _refuse(
    connection: Connection, status: int, code: str, message: str, *, retryable: bool = False
) -> None:
    connection.respond_json(status, {"code": code, "message": message, "retryable": retryable})


def _read_count(body: bytes) -> int:
    try:
        count = json.loads(body)["count"]
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidSpecificationError("a JSON object with a count is expected") from error
    if not isinstance(count, int) or not 1 <= count <= _MOST_ENVIRONMENTS:
        raise InvalidSpecificationError(f"count must be 1 to {_MOST_ENVIRONMENTS}")
    return count


def _summary(environment: Environment) -> dict[str, object]:
    return {
        "id": environment.identity,
        "state": environment.state.value,
        "initialised": environment.initialised,
    }


def _describe(environment: Environment) -> dict[str, object]:
    return _summary(environment) | {"epoch": environment.epoch, "holder": environment.holder}
