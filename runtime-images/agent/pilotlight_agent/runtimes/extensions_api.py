"""The Lambda Extensions API, beside the Runtime API on its listener: who registered, and who waits.

Source: AWS Lambda Developer Guide, "Using the Lambda Extensions API"; error types, texts and the
order of the checks follow the runtime interface emulator. External extensions are programs of
layers, which `lifecycle.extension_processes` starts; internal ones are threads of the runtime. Both
may subscribe to `telemetry`.
"""

import json
import uuid
from collections.abc import Callable, Collection
from enum import StrEnum
from functools import partial
from typing import Protocol

from pilotlight_agent.errors import InvalidSubscriptionError
from pilotlight_agent.http.request import Request
from pilotlight_agent.http.server import Connection
from pilotlight_wire.specialisation import FunctionFacts

from .subscription import APIS, parse
from .telemetry import Telemetry

_PREFIX = b"/2020-01-01/extension"
_MOST = 10
_IDENTIFIER = "Lambda-Extension-Identifier"


class EventType(StrEnum):
    """What an extension may ask to be told."""

    INVOKE = "INVOKE"
    SHUTDOWN = "SHUTDOWN"


class Phase(StrEnum):
    """Where an extension stands."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    FAILED = "ExitError"


class Extension:
    """One extension: what it wants to know, and whether it waits for it."""

    def __init__(self, name: str, *, external: bool) -> None:
        self.name = name
        self.external = external
        self.identifier = str(uuid.uuid4())
        self.events: frozenset[EventType] = frozenset()
        self.phase = Phase.STARTED
        self.polling: Connection | None = None
        self.waiting: bytes | None = None
        """An event that came while it did not poll."""


class ExtensionListener(Protocol):
    """Hears of the extensions of one runtime process."""

    def on_extension(self) -> None:
        """Learn that one went on: registered, or waits for an event."""

    def on_extension_error(self, error_type: str, name: str) -> None:
        """Learn that one gave up; `error_type` is Lambda's name of that."""


_Step = Callable[[Extension, Request, Connection], None]


class ExtensionsApi:
    """Serves the extensions of one runtime process after the other."""

    def __init__(self, function: FunctionFacts, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self._function = function
        self._listener: ExtensionListener | None = None
        self._extensions: dict[str, Extension] = {}
        """By name."""
        self._open = False
        self._steps: dict[tuple[bytes, bytes], _Step] = {
            (b"GET", b"/event/next"): self._next,
            (b"POST", b"/init/error"): self._init_error,
            (b"POST", b"/exit/error"): self._exit_error,
        }

    def attach(self, listener: ExtensionListener, external: Collection[str]) -> None:
        """Begin with a new process, and with extensions of these names."""
        self.close()
        self._listener, self._open = listener, True
        self._extensions = {name: Extension(name, external=True) for name in external}
        self.telemetry.expect(external)

    def close_registration(self) -> None:
        """Take no more extensions and subscriptions: the init phase is over."""
        self._open = False
        self.telemetry.close_subscription()

    def close(self) -> None:
        """Forget the process."""
        self._listener, self._extensions, self._open = None, {}, False

    @property
    def any(self) -> bool:
        """Whether there are extensions at all."""
        return bool(self._extensions)

    @property
    def registered(self) -> bool:
        """Whether every external one has registered, and the runtime may start."""
        return all(each.phase is not Phase.STARTED for each in self._extensions.values())

    @property
    def waiting(self) -> bool:
        """Whether every one waits for its next event, so that an invocation may begin."""
        if not self._extensions:
            return True
        return all(each.phase is Phase.READY for each in self._extensions.values())

    @property
    def shutdown_seconds(self) -> float:
        """How long they have to end: Lambda's 2 s with external ones, half a second with others."""
        if not self._extensions:
            return 0.0
        return 2.0 if any(each.external for each in self._extensions.values()) else 0.5

    def descriptions(self) -> list[tuple[str, str, str]]:
        """Return name, phase and events of each, for the log."""
        return [
            (each.name, each.phase, ",".join(sorted(each.events)))
            for each in self._extensions.values()
        ]

    def tell(self, event: EventType, document: dict[str, object]) -> None:
        """Tell those who asked for it."""
        body = json.dumps({"eventType": event} | document).encode()
        for each in self._extensions.values():
            if event in each.events and each.phase not in {Phase.STARTED, Phase.FAILED}:
                each.phase, each.waiting = Phase.RUNNING, body
                self._hand_over(each)

    def serve(self, request: Request, connection: Connection) -> bool:
        """Answer what is the API's; False for anything else."""
        if request.method == b"PUT" and (api := APIS.get(request.target.rstrip(b"/"))):
            self._identified(request, connection, partial(self._subscribe, api))
            return True
        if not request.target.startswith(_PREFIX):
            return False
        path = request.target[len(_PREFIX) :]
        step = self._steps.get((request.method, path))
        if (request.method, path) == (b"POST", b"/register"):
            self._register(request, connection)
        elif step is not None:
            self._identified(request, connection, step)
        else:
            return False
        return True

    def _register(self, request: Request, connection: Connection) -> None:
        name = request.headers.get(b"lambda-extension-name", b"").decode("latin-1")
        if not name:
            _refuse(connection, "InvalidExtensionName", "Empty extension name")
            return
        try:
            wanted = json.loads(request.body)["events"] or []
            events = {str(each) for each in wanted}
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            _say(connection, 403, "InvalidRequestFormat", f"{error}")
            return
        found = self._extensions.get(name) or Extension(name, external=False)
        allowed = self._allowed(external=found.external)
        if unknown := sorted(events - allowed):
            text = f"{unknown[0]}: ErrorInvalidEventType"
            _refuse(connection, "InvalidEventType", text)
        elif (problem := self._objection(found)) is not None:
            _refuse(connection, *problem)
        else:
            found.events = frozenset(map(EventType, events))
            self._accept(found, request, connection)

    def _allowed(self, *, external: bool) -> set[EventType]:
        """Return what may be asked for: nothing of single invocations where several run at once.

        So it is in Lambda's managed instances.
        """
        invoke = {EventType.INVOKE} if self._function.calls_per_environment == 1 else set()
        return invoke | ({EventType.SHUTDOWN} if external else set())

    def _objection(self, extension: Extension) -> tuple[str, str] | None:
        """Return error type and text where an extension may not register (any more)."""
        if extension.name in self._extensions:
            if extension.phase is Phase.STARTED:
                return None
            if not extension.external:
                return "InvalidExtensionState", "Extension with this name already registered"
            return "InvalidExtensionState", _transition(extension, Phase.REGISTERED)
        if not self._open:
            return "RegistrationClosed", "Extension registration closed already"
        if len(self._extensions) >= _MOST:
            return "TooManyExtensions", f"Extension limit ({_MOST}) reached"
        return None

    def _accept(self, extension: Extension, request: Request, connection: Connection) -> None:
        self._extensions[extension.name] = extension
        self.telemetry.keeps = True
        extension.phase = Phase.REGISTERED
        function = self._function
        document = {
            "functionName": function.name,
            "functionVersion": function.version,
            "handler": function.handler,
        }
        features = request.headers.get(b"lambda-extension-accept-feature", b"").decode("latin-1")
        if "accountId" in features:
            document["accountId"] = function.account
        head = f"Content-Type: application/json\r\n{_IDENTIFIER}: {extension.identifier}\r\n"
        connection.respond(200, json.dumps(document).encode(), head.encode())
        self._went_on()

    def _identified(self, request: Request, connection: Connection, step: _Step) -> None:
        given = request.headers.get(_IDENTIFIER.lower().encode(), b"").decode("latin-1")
        known = {each.identifier: each for each in self._extensions.values()}
        if not given:
            _refuse(connection, "MissingExtensionIdentifier", f"Missing {_IDENTIFIER} header")
        elif not _is_uuid(given):
            _refuse(connection, "InvalidExtensionIdentifier", f"Invalid {_IDENTIFIER}")
        elif (extension := known.get(given)) is None:
            _refuse(connection, "UnknownExtensionIdentifier", f"Unknown extension {given}")
        else:
            step(extension, request, connection)

    def _next(self, extension: Extension, _request: Request, connection: Connection) -> None:
        if extension.phase in {Phase.STARTED, Phase.FAILED}:
            _refuse(connection, "InvalidExtensionState", _transition(extension, Phase.READY))
            return
        extension.polling = connection
        if extension.waiting is not None:
            self._hand_over(extension)
            return
        extension.phase = Phase.READY
        self._went_on()

    def _hand_over(self, extension: Extension) -> None:
        connection, body = extension.polling, extension.waiting
        if connection is None or connection.closed or body is None:
            return
        extension.polling = extension.waiting = None
        event = f"Lambda-Extension-Event-Identifier: {uuid.uuid4()}\r\n"
        connection.respond(200, body, f"Content-Type: application/json\r\n{event}".encode())

    def _subscribe(
        self, api: str, extension: Extension, request: Request, connection: Connection
    ) -> None:
        if not self.telemetry.open:
            text = f"{api} API subscription is closed already"
            _say(connection, 403, f"{api}.SubscriptionClosed", text)
            return
        try:
            self.telemetry.subscribe(extension.name, parse(api, request.body))
        except InvalidSubscriptionError as error:
            _say(connection, 400, "ValidationError", str(error))
        else:
            connection.respond(200, b'"OK"')

    def _init_error(self, extension: Extension, request: Request, connection: Connection) -> None:
        self._fail(extension, request, connection, "Extension.InitError")

    def _exit_error(self, extension: Extension, request: Request, connection: Connection) -> None:
        self._fail(extension, request, connection, "Extension.ExitError")

    def _fail(
        self, extension: Extension, request: Request, connection: Connection, error_type: str
    ) -> None:
        if b"lambda-extension-function-error-type" not in request.headers:
            text = "Lambda-Extension-Function-Error-Type not found"
            _refuse(connection, "MissingHeader", text)
            return
        extension.phase = Phase.FAILED
        _answer(connection, 202, {"status": "OK"})
        if self._listener is not None:
            self._listener.on_extension_error(error_type, extension.name)

    def _went_on(self) -> None:
        if self._listener is not None:
            self._listener.on_extension()


def _transition(extension: Extension, phase: Phase) -> str:
    return (
        f"State transition from {extension.phase} to {phase} failed for extension "
        f"{extension.name}. Error: State transition is not allowed"
    )


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _refuse(connection: Connection, error_type: str, message: str) -> None:
    _say(connection, 403, f"Extension.{error_type}", message)


def _say(connection: Connection, status: int, error_type: str, message: str) -> None:
    _answer(connection, status, {"errorMessage": message, "errorType": error_type})


def _answer(connection: Connection, status: int, document: dict[str, object]) -> None:
    connection.respond_json(status, document)
