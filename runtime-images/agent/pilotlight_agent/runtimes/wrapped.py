"""A managed runtime behind a wrapper script, which may start something else in its place.

`AWS_LAMBDA_EXEC_WRAPPER` gets the runtime's command line. Most wrappers set variables and run it;
the Lambda Web Adapter's runs a web server, for which an extension asks the Runtime API. So both
ways are open until one of them is used. AWS Lambda Developer Guide, "Modifying the runtime
environment".
"""

from collections.abc import Callable

from pilotlight_agent.invocations.invocation import Invocation, Result

from .family import Setting
from .link import Link, Listener
from .runtime_api import RuntimeApi

EXEC_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_LAYERS = "/opt/"


def wrapper_of(setting: Setting) -> list[str]:
    """Return the wrapper script, if there is one; in local mode layers are not in /opt."""
    wrapper = setting.variables.get(EXEC_WRAPPER)
    if wrapper is None:
        return []
    if wrapper.startswith(_LAYERS):
        wrapper = str(setting.places.layers_root / wrapper.removeprefix(_LAYERS))
    return [wrapper]


class _Hearer:
    """Hears one of the two ways, and says first which it is."""

    def __init__(self, listener: Listener, used: Callable[[], None]) -> None:
        self._listener = listener
        self._used = used

    def on_ready(self) -> None:
        """Pass it on."""
        self._used()
        self._listener.on_ready()

    def on_init_error(self, error_type: str, body: bytes) -> None:
        """Pass it on."""
        self._listener.on_init_error(error_type, body)

    def on_result(self, request_id: str, result: Result) -> None:
        """Pass it on."""
        self._listener.on_result(request_id, result)


class WrappedLink:
    """Speaks by the runtime's own link, or by the Runtime API: whichever is ready first."""

    def __init__(self, api: RuntimeApi, listener: Listener) -> None:
        self._api = api
        self._listener = listener
        self._own: Link | None = None
        self._used: Link | None = None
        self.hearer = _Hearer(listener, self._use_own)
        """Listens to the runtime's own link."""

    def open(self, own: Link) -> None:
        """Take the runtime's own link, and listen to the other way, too."""
        self._own = own
        self._api.attach(_Hearer(self._listener, self._use_api))

    def _use_own(self) -> None:
        self._used = self._used or self._own

    def _use_api(self) -> None:
        self._used = self._used or self._api

    @property
    def taken(self) -> bool:
        """Whether the runtime has the event that was delivered last."""
        return self._used is not None and self._used.taken

    def deliver(self, invocation: Invocation) -> None:
        """Hand on an event."""
        if self._used is not None:
            self._used.deliver(invocation)

    def withdraw(self, invocation: Invocation) -> bool:
        """Take an event back."""
        return self._used is not None and self._used.withdraw(invocation)

    def catch_up(self) -> bool:
        """Hear what either said before its end."""
        own = self._own is not None and self._own.catch_up()
        return self._api.catch_up() or own

    def close(self) -> None:
        """End both."""
        self._api.close()
        if self._own is not None:
            self._own.close()
