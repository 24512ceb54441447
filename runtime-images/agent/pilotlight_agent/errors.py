"""What can go wrong in an agent; `gateway_api` puts it into an answer, `environment` into a log."""


class AlreadySpecialisedError(Exception):
    """A pod is specialised once, whatever came of it."""


class NotSpecialisedError(Exception):
    """The pod has no revision to serve."""


class BusyError(Exception):
    """The pod runs an invocation."""


class DrainingError(Exception):
    """The pod takes nothing new."""


class CodeUnavailableError(Exception):
    """The package could not be read from its address."""


class CodeMismatchError(Exception):
    """What was read is not what was ordered."""


class NotStartableError(Exception):
    """There is no runtime to start; the message is Lambda's, and so is the `kind`."""

    kind = "Runtime.InvalidEntrypoint"


class NoWorkingDirectoryError(NotStartableError):
    """The folder in which the runtime is to begin is not there."""

    kind = "Runtime.InvalidWorkingDir"


class ExtensionNotStartableError(NotStartableError):
    """An extension is no program that can be started."""

    kind = "Extension.LaunchError"


class ForkError(Exception):
    """No process was forked, and none will be: another way of starting one is free."""


class InvalidSubscriptionError(Exception):
    """An extension asks for telemetry in a way that is not possible."""


class BadRequestError(Exception):
    """The bytes are no request that has one meaning only; the connection is to be closed."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
