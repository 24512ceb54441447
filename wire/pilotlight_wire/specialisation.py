"""`POST /v1/specialise`: what makes a generic pod one revision's, and what came of it.

`GET /v1/status` and `POST /v1/environments` answer with environments in the same form. An agent's
part of it is `lifecycle.pod`, the platform's `pilotlight.agent`.
"""

import re
from dataclasses import dataclass, field

from .message import InvalidMessageError, Message
from .protocol import MOST_ENVIRONMENTS, State

LIFETIME = 11 * 3600
"""An environment's, in seconds: it ends before its credentials do, which are not renewed."""
READ_AT_START = re.compile("PYTHON|LD_|LC_|LANG|MALLOC_|GLIBC_|OPENSSL_")
"""Variables, by their beginnings, that an interpreter or a loader reads when its process begins: a
function that sets one gets processes of its own, and no forks."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSource(Message):
    """Where the agent fetches the deployment package, and what it must hash to."""

    sha256: str
    """Lower-case hexadecimal."""
    url: str
    ticket: str = field(default="", repr=False)
    """Opens the door there."""

    def __post_init__(self) -> None:
        """Refuse what is no digest."""
        if _SHA256.fullmatch(self.sha256) is None:
            raise InvalidMessageError("code.sha256 must be 64 lower-case hexadecimal digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsSource(Message):
    """Where the agent gets credentials of the function's role, each time they are asked for."""

    url: str
    ticket: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse what the agent does not speak."""
        if not self.url.startswith("http://"):
            raise InvalidMessageError("role.url must be an http address")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageProcess(Message):
    """What is started of the container image that the pod was made of."""

    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    """Its arguments."""
    working_directory: str = ""
    """Empty: the image's own."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables of the image that the pod keeps from its agent."""

    def __post_init__(self) -> None:
        """Refuse what no process can be started with."""
        if not self.argv:
            raise InvalidMessageError("image.entryPoint or image.command must name a program")
        if any("\0" in part for part in (*self.argv, self.working_directory)):
            raise InvalidMessageError("image must hold no NUL")

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return (*self.entry_point, *self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFacts(Message):
    """What an environment is told of its function."""

    name: str
    version: str = "$LATEST"
    arn: str
    account: str = "000000000000"
    region: str = "us-east-1"
    runtime: str
    handler: str = ""
    memory: int = 128
    """Megabytes."""
    timeout: int = 3
    """Seconds."""
    ephemeral_storage: int = 512
    """Megabytes."""
    log_group: str = ""
    log_format: str = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None
    initialization_type: str = "on-demand"
    calls_per_environment: int = 1
    """How many an environment takes at once."""
    tenant_id: str | None = None
    """Whose environments these are alone."""
    lifetime: int = LIFETIME
    """Seconds, after which an environment ends as soon as it is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialisation(Message):
    """A revision: function, variables, credentials, code, and how many environments to start."""

    revision: str
    object_name: str = ""
    """The function's, by which leaders know it: its pod says whose it is."""
    function: FunctionFacts
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    credentials: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables of keys for this platform."""
    role: CredentialsSource | None = None
    """None where the function's role is a name and nothing else."""
    code: CodeSource | None = None
    """None where the pod was made of the function's image."""
    image: ImageProcess | None = None
    layers: list[CodeSource] = field(default_factory=list)
    """In the order in which they are laid over each other."""
    environments: int = 1

    def __post_init__(self) -> None:
        """Refuse what no process can be started with, or what no pod holds."""
        for name, variables in (
            ("environment", self.environment),
            ("credentials", self.credentials),
        ):
            if any("\0" in f"{key}{value}" for key, value in variables.items()):
                raise InvalidMessageError(f"{name} must map strings to strings without NUL")
        if self.code is None and self.image is None:
            raise InvalidMessageError("code or image is expected")
        if not 1 <= self.environments <= MOST_ENVIRONMENTS:
            raise InvalidMessageError(f"environments must be 1 to {MOST_ENVIRONMENTS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreEnvironments(Message):
    """`POST /v1/environments`: how many more to start."""

    count: int

    def __post_init__(self) -> None:
        """Refuse what no pod holds."""
        if not 1 <= self.count <= MOST_ENVIRONMENTS:
            raise InvalidMessageError(f"count must be 1 to {MOST_ENVIRONMENTS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence(Message):
    """`POST /v1/fence`: no lease of an older epoch than this one is good any more.

    Refused while the pod runs anything, so that what is taken over is free.
    """

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentState(Message):
    """One environment of a pod, as the agent tells it."""

    id: str
    state: str
    """A `protocol.State`."""
    initialised: bool = False
    """Whether its runtime is past the init phase."""
    epoch: int = 0
    """The highest that was seen."""
    holder: str = ""
    """Whose lease that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialised(Message):
    """The answer to a specialisation: what was started, and how long its steps took."""

    environments: list[EnvironmentState]
    fetch_milliseconds: float = 0.0
    unpack_milliseconds: float = 0.0
    processors: int = 0
    """Of the node; 0 where the agent does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState(Message):
    """The answer to `GET /v1/status` and to `POST /v1/fence`."""

    state: str
    """`generic` or `specialised`."""
    draining: bool
    revision: str
    """The revision it serves or tried to, empty for a generic pod."""
    object_name: str = ""
    """That of its function."""
    environments: list[EnvironmentState]

    @property
    def is_generic(self) -> bool:
        """Whether it has never had a function, and can get one."""
        return not self.revision and not self.draining

    @property
    def runs(self) -> bool:
        """Whether an invocation runs in it."""
        return any(one.state == State.BUSY for one in self.environments)
