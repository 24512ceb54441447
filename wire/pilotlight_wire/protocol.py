"""The names of the protocol that platform and agent speak: HTTP/1.1 under `/v1` on the pod's port.

An agent answers an invocation with 200, the function's answer or Lambda's words about it, or with
an `Error`: a status, and a document of `code`, `message` and `retryable`. An answer that is sent as
it is written comes in chunks, and what is known only after it in trailers. Retryable means that the
function has not begun, and that another environment may be asked; nothing else does. A 409 to an
invocation always is.
"""

import hashlib
from enum import Enum, StrEnum

AGENT_PORT = 8700
"""Where the agent of a pod listens; a free port in local mode."""
MOST_ENVIRONMENTS = 64
"""Of one pod."""
RESPONSE_LIMIT = 6_291_556
"""Bytes of an event or an answer: 6 MiB and 100 bytes, as Lambda counts."""
LOADER_VARIABLES = {
    "LD_PRELOAD": "",
    "LD_AUDIT": "",
    "GLIBC_TUNABLES": "",
    "GCONV_PATH": "",
    "LOCPATH": "",
    "LC_ALL": "C",
}
"""By which an image could change its agent, and what the agent has instead: the process gets the
image's own. A locale may name a character set whose converter glibc would load from the image."""
STREAM_LIMIT = 200 << 20
"""Bytes of an answer that is sent as it is written."""


def token_digest(token: bytes) -> str:
    """Return the hex sha256 of a pod's token, which is all that its agent is told of it."""
    return hashlib.sha256(token).hexdigest()


class Path(StrEnum):
    """What can be asked of an agent; all but the probes takes the pod's token."""

    LIVE = "/live"
    READY = "/ready"
    SPECIALISE = "/v1/specialise"
    ENVIRONMENTS = "/v1/environments"
    FENCE = "/v1/fence"
    SETTLED = "/v1/settled"
    STATUS = "/v1/status"
    INVOKE = "/v1/invoke"
    EVENTS = "/v1/events"
    DRAIN = "/v1/drain"


class Header(StrEnum):
    """Headers of an invocation and of its answer; readers compare names in lower case."""

    ENVIRONMENT = "Pilotlight-Environment"
    LEASE = "Pilotlight-Lease"
    """GATEWAY/EPOCH."""
    REQUEST_ID = "Pilotlight-Request-Id"
    DEADLINE_MS = "Pilotlight-Deadline-Ms"
    """Epoch milliseconds until which the function may begin."""
    FUNCTION_ARN = "Pilotlight-Function-Arn"
    TRACE_ID = "Pilotlight-Trace-Id"
    TENANT_ID = "Pilotlight-Tenant-Id"
    """Only to environments that are a tenant's own."""
    CLIENT_CONTEXT = "Pilotlight-Client-Context"
    """Base64 of a JSON document."""
    COGNITO_IDENTITY = "Pilotlight-Cognito-Identity"
    LOG_TAIL = "Pilotlight-Log-Tail"
    """`1` asks for it; the answer has it in base64."""
    STREAM = "Pilotlight-Stream"
    """`1` asks for the answer as the function writes it, where it does so piece by piece."""
    FUNCTION_ERROR = "Pilotlight-Function-Error"
    ERROR_DOCUMENT = "Pilotlight-Error-Document"
    """Base64; only of an answer that was being sent when the function failed."""
    REPORT = "Pilotlight-Report"
    """A `report.Report`."""
    ENVIRONMENT_STATE = "Pilotlight-Environment-State"
    INITIALISED = "Pilotlight-Initialised"
    """`no` where the function could not be initialised for the invocation."""
    FREE = "Pilotlight-Free"

    @property
    def key(self) -> str:
        """The name in lower case, as readers keep it."""
        return self.value.lower()


class State(StrEnum):
    """Where an environment stands."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ENDED = "ended"


class Error(Enum):
    """Why an agent did not do what it was asked: code, HTTP status, whether others may be asked."""

    # Somebody else's pod has this address by now.
    UNAUTHORIZED = ("Unauthorized", 401, True)
    NOT_FOUND = ("NotFound", 404, False)
    MALFORMED_REQUEST = ("MalformedRequest", 400, False)
    INVALID_REQUEST = ("InvalidRequest", 400, False)
    REQUEST_TOO_LARGE = ("RequestTooLarge", 413, False)
    NOT_READY = ("NotReady", 503, True)
    AGENT_FAILED = ("AgentFailed", 500, False)

    # What is asked of a pod.
    ALREADY_SPECIALISED = ("AlreadySpecialised", 409, False)
    NOT_SPECIALISED = ("NotSpecialised", 409, True)
    DRAINING = ("Draining", 409, True)
    CODE_MISMATCH = ("CodeMismatch", 422, False)
    INVALID_ARCHIVE = ("InvalidArchive", 422, False)
    CODE_UNAVAILABLE = ("CodeUnavailable", 502, True)

    # What is asked of an environment.
    UNKNOWN_ENVIRONMENT = ("UnknownEnvironment", 409, True)
    WRONG_TENANT = ("WrongTenant", 409, True)
    STALE_LEASE = ("StaleLease", 409, True)
    ENVIRONMENT_BUSY = ("EnvironmentBusy", 409, True)
    ENVIRONMENT_ENDED = ("EnvironmentEnded", 409, True)
    DEADLINE_PASSED = ("DeadlinePassed", 409, True)
    # The function had begun by then.
    INVOCATION_ENDED = ("InvocationEnded", 500, False)

    def __init__(self, code: str, status: int, retryable: bool) -> None:  # noqa: FBT001 -- rows above
        self.code = code
        self.status = status
        self.retryable = retryable

    def document(self, message: str) -> dict[str, object]:
        """Return the answer's body."""
        return {"code": self.code, "message": message, "retryable": self.retryable}
