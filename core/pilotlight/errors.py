"""The failures that core's own rules can meet, each with its HTTP status and whether a retry helps.

Services raise these; the edges translate them: the gateway into Lambda's error shapes
(`pilotlight_gateway.errors`), the operator into conditions, the command line into exit codes.
"""

from __future__ import annotations

from typing import ClassVar


class PilotlightError(Exception):
    """A failure with a machine-readable code; the message says what came and what was expected."""

    code: ClassVar[str] = "InternalError"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class InvalidResourceError(PilotlightError):
    """A manifest, a name or a field does not hold what it must; `field` is its path, if one."""

    code = "InvalidResource"
    status = 400

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFoundError(PilotlightError):
    """No such resource, artifact or account."""

    code = "NotFound"
    status = 404


class AlreadyExistsError(PilotlightError):
    """A resource of that name is there already."""

    code = "AlreadyExists"
    status = 409


class ConflictError(PilotlightError):
    """Somebody else changed the resource since it was read; read it again and retry."""

    code = "Conflict"
    status = 409
    retryable = True


class InvalidCredentialsError(PilotlightError):
    """Credentials that this platform did not issue."""

    code = "InvalidCredentials"
    status = 403


class ArtifactMismatchError(PilotlightError):
    """The bytes of an artifact do not have the sha256 they were announced with."""

    code = "ArtifactMismatch"
    status = 400


class StateVersionError(PilotlightError):
    """A state folder was written by a newer Pilotlight."""

    code = "StateVersion"


class StateInUseError(PilotlightError):
    """Another process holds the state folder."""

    code = "StateInUse"


class UnavailableError(PilotlightError):
    """A part that was asked cannot answer now; the message names it."""

    code = "Unavailable"
    status = 503
    retryable = True


class QuotaExceededError(UnavailableError):
    """The namespace's quota allows no more of what was asked for, until something of it goes."""

    code = "QuotaExceeded"
    status = 429


class ThrottledError(PilotlightError):
    """No environment may be started now.

    `reason` is Lambda's (`ConcurrentInvocationLimitExceeded`, …), `retry_after` in seconds.
    `of_room`: it met no limit, there is only no room for one more; those that there are go on.
    """

    code = "Throttled"
    status = 429
    retryable = True

    def __init__(
        self, message: str, *, reason: str, retry_after: int = 1, of_room: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after
        self.of_room = of_room


class WithdrawnError(PilotlightError):
    """A claim was withdrawn before anything had begun for it."""

    code = "Withdrawn"
    status = 409


class RevisionGoneError(PilotlightError):
    """A claim named a revision that is no longer what the function serves."""

    code = "RevisionGone"
    status = 409
    retryable = True


class StartFailedError(PilotlightError):
    """An environment could not be started; `reason` is a Lambda state reason code."""

    code = "StartFailed"
    status = 502

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class UndecryptableError(PilotlightError):
    """A function's variables were encrypted by a key that is not to be had."""

    code = "KMSAccessDeniedException"
    status = 502


class PodLostError(StartFailedError):
    """The pod of a start was deleted or lost before an environment began in it: try another."""


class AgentFailedError(PilotlightError):
    """An agent answered an invocation, but neither for the function nor that it had not begun.

    So it may have run, and is not tried elsewhere.
    """

    code = "AgentFailed"
    status = 500


class NotStartedError(Exception):
    """An agent could not be reached, or said that nothing began: go elsewhere."""


class ConnectionLostError(Exception):
    """An agent went away before it had answered in full: what it was asked for may have begun."""
