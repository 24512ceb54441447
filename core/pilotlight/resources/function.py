"""`Function`, the resource that a cluster admin writes: Lambda's configuration in a manifest.

Names, defaults and limits are Lambda's (AWS Lambda Developer Guide, "Lambda quotas"; API
reference, CreateFunction). `resources.crd` makes the CRD from these models, the Lambda API
writes the same resource, and the operator's function service turns it into a revision.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from pilotlight.runtimes import ONE_CALL_RUNTIMES

from ..names import label_value
from .asynchronous import AsyncConfig, check_not_itself
from .code import Code, PinnedPackage  # noqa: TC001  pydantic reads them at run time
from .configuration import (
    MOST_LAYERS,
    Configuration,
    Layers,
    Logging,
    SnapStart,
    TenantIsolation,
    Tracing,
)
from .environment import ENVIRONMENT_BOUNDS, ENVIRONMENT_RULES, Environment
from .file_system import MOST_FILE_SYSTEMS, FileSystem
from .function_rules import ONE_CALL, ONE_OF_BOTH, ONE_PATH_EACH, RULES
from .image import IMAGE_RUNTIME, ImageConfig
from .meta import (
    AGE,
    READY,
    REASON,
    Column,
    Condition,
    Index,
    Key,
    Model,
    Resource,
    cel,
    find_condition,
)
from .network import Network  # noqa: TC001  pydantic reads it at run time
from .policy import PolicyStatement  # noqa: TC001  pydantic reads it at run time
from .secret_files import MOST_SECRET_FILES, SecretFiles
from .url import FunctionUrl  # noqa: TC001  pydantic reads it at run time

__all__ = [
    "FUNCTIONS_BY_LABEL",
    "FUNCTIONS_BY_LOG_GROUP",
    "FUNCTIONS_BY_NAME",
    "FUNCTIONS_BY_RUNTIME",
    "FUNCTIONS_BY_SECRET",
    "FUNCTIONS_BY_SECURITY_GROUP",
    "FUNCTIONS_WITH_FILE_SYSTEMS",
    "Function",
    "FunctionSpec",
    "FunctionStatus",
    "SecretReference",
]

FUNCTION_NAME = r"^[a-zA-Z0-9-_]{1,64}$"
MOST_TAGS = 50
KMS_KEY_ARN = r"^arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*$"
LONGEST_KEY_ARN = 10_000
CODE_SIGNING_CONFIG = r"^csc-[a-z0-9]{17}$"


class SecretReference(Model):
    """A Secret of the function's own namespace."""

    secret: str = Field(min_length=1, max_length=253, description="The Secret's name.")


class FunctionSpec(Model):
    """What the function is wanted to be."""

    model_config = ConfigDict(json_schema_extra=cel(*RULES))

    function_name: str | None = Field(
        default=None,
        pattern=FUNCTION_NAME,
        description="Lambda's name of the function; metadata.name if absent. Immutable.",
    )
    description: str = Field(default="", max_length=256, description="For people.")
    runtime: str | None = Field(
        default=None, description="A Lambda runtime id, such as python3.13; not with an image."
    )
    handler: str | None = Field(
        default=None,
        max_length=128,
        pattern=r"^[^\s]+$",
        description="file.function that answers, such as index.handler; not with an image.",
    )
    code: Code = Field(description="Where the code is.")
    image_config: ImageConfig | None = Field(
        default=None, description="What is set in place of the image's own configuration."
    )
    memory: int = Field(
        default=128, ge=128, le=10_240, description="Megabytes an environment may use; CPU follows."
    )
    timeout: int = Field(
        default=3, ge=1, le=900, description="Seconds an invocation may take before it is ended."
    )
    ephemeral_storage: int = Field(default=512, ge=512, le=10_240, description="Megabytes of /tmp.")
    environment: Environment = Field(
        default_factory=dict,
        description="Environment variables, at most 4 KB in all.",
        json_schema_extra=ENVIRONMENT_BOUNDS | ENVIRONMENT_RULES,
    )
    environment_from: SecretReference | None = Field(
        default=None, description="A Secret whose entries become environment variables too."
    )
    role: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-zA-Z-]*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+$",
        description="ARN of the execution role.",
    )
    layers: Layers = Field(
        default_factory=list,
        max_length=MOST_LAYERS,
        description="ARNs of layers' versions, whose files lie in /opt; later ones go first.",
    )
    reserved_concurrency: int | None = Field(
        default=None,
        ge=0,
        description="Environments that are this function's alone, and all it may have; 0 is off.",
    )
    environments_per_pod: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Environments that share a pod and its /tmp; each has a TMPDIR of its own.",
    )
    calls_per_environment: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Calls that an environment takes at once; they share its memory and its /tmp.",
    )
    async_: AsyncConfig | None = Field(
        default=None, alias="async", description="How asynchronous invocations are handled."
    )
    dead_letter_target: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-zA-Z-]*:(sqs|sns):[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}$",
        description="ARN of an SQS queue or SNS topic that gets events that failed.",
    )
    url: FunctionUrl | None = Field(
        default=None, description="Makes the function reachable at an HTTP address of its own."
    )
    publish: Literal["Never", "OnChange"] = Field(
        default="Never", description="Whether each change becomes a version."
    )
    recursive_loop: Literal["Allow", "Terminate"] = Field(
        default="Terminate",
        description="What becomes of a chain of requests in which it runs more than 16 times.",
    )
    policy: list[PolicyStatement] = Field(
        default_factory=list,
        max_length=100,
        description="Who else may use it, and who may not (Lambda's resource-based policy).",
    )
    code_signing_config: str | None = Field(
        default=None,
        pattern=CODE_SIGNING_CONFIG,
        description="Id of the CodeSigningConfig that the API checks new code by.",
    )
    architecture: Literal["x86_64", "arm64"] = Field(
        default="x86_64", description="Instruction set of the code."
    )
    logging: Logging = Field(default_factory=Logging, description="How the function logs.")
    kms_key_arn: str | None = Field(
        default=None,
        max_length=LONGEST_KEY_ARN,
        pattern=KMS_KEY_ARN,
        description="Variables that come by the API are encrypted by the key that this stands for.",
    )
    tracing: Tracing = Field(
        default="PassThrough",
        description="Active: traces that begin here are sampled, and invocations become spans.",
    )
    tenant_isolation_mode: TenantIsolation | None = Field(
        default=None,
        description="PER_TENANT: invocations name a tenant, whose environments no other has. "
        "Immutable.",
    )
    snap_start: SnapStart = Field(
        default="None",
        description="PublishedVersions: kept and told; Python starts by fork either way.",
    )
    file_systems: list[FileSystem] = Field(
        default_factory=list,
        max_length=MOST_FILE_SYSTEMS,
        description="PersistentVolumeClaims that it finds below /mnt.",
    )
    secret_files: list[SecretFiles] = Field(
        default_factory=list,
        max_length=MOST_SECRET_FILES,
        description="Secrets that it finds as files below /mnt, kept up to date.",
    )
    network: Network | None = Field(
        default=None,
        description="All that it may reach; what the chart lets every function reach if absent.",
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        description="Lambda's tags, at most 50.",
        json_schema_extra={"maxProperties": MOST_TAGS},
    )

    @model_validator(mode="after")
    def _package_type(self) -> Self:
        if self.code.image is not None:
            if self.runtime or self.handler:
                raise ValueError("runtime and handler are not supported with code.image")
            if self.layers:
                raise ValueError("layers are not supported with code.image")
        elif self.image_config is not None:
            raise ValueError("imageConfig is supported with code.image only")
        elif not self.runtime or not self.handler:
            raise ValueError("runtime and handler are required unless code.image is given")
        if self.tenant_isolation_mode and self.url:
            raise ValueError("url is not supported with tenantIsolationMode")
        if self.calls_per_environment > 1:
            self._check_calls()
        if len(self.tags) > MOST_TAGS:
            raise ValueError(f"{len(self.tags)} tags came, at most {MOST_TAGS} are allowed")
        paths = [one.path for one in self.file_systems] + [one.path for one in self.secret_files]
        if len(paths) != len(set(paths)):
            raise ValueError(ONE_PATH_EACH)
        return self

    def _check_calls(self) -> None:
        if self.environments_per_pod > 1:
            raise ValueError(ONE_OF_BOTH)
        if self.runtime in ONE_CALL_RUNTIMES:
            raise ValueError(f"runtime {self.runtime!r}: {ONE_CALL}")


State = Literal["Pending", "Active", "Inactive", "Failed"]
UpdateStatus = Literal["Successful", "Failed", "InProgress"]


class FunctionStatus(Model):
    """What the operator knows of the function; State and its kin are Lambda's."""

    observed_generation: int = Field(default=0, description="The generation that was observed.")
    revision: str | None = Field(default=None, description="What $LATEST means now.")
    configuration: Configuration | None = Field(
        default=None, description="What that revision runs."
    )
    code_size: int | None = Field(default=None, description="Bytes of the deployment package.")
    pinned: PinnedPackage | None = Field(
        default=None, description="The package that code.s3 was when it was fetched."
    )
    image_refresh: str | None = Field(
        default=None, description="The code.imageRefresh with which the image was asked for."
    )
    observed_digest: str | None = Field(
        default=None, description="Hash of the code and configuration that were observed."
    )
    last_modified: str | None = Field(
        default=None, description="When code or configuration last changed."
    )
    arn: str | None = Field(default=None, description="The function's ARN.")
    state: State = Field(default="Pending", description="Lambda's State.")
    state_reason: str | None = Field(default=None, description="Lambda's StateReason.")
    state_reason_code: str | None = Field(default=None, description="Lambda's StateReasonCode.")
    last_update_status: UpdateStatus | None = Field(
        default=None, description="Lambda's LastUpdateStatus."
    )
    last_update_status_reason: str | None = Field(
        default=None, description="Lambda's LastUpdateStatusReason."
    )
    last_update_status_reason_code: str | None = Field(
        default=None, description="Lambda's LastUpdateStatusReasonCode."
    )
    conditions: list[Condition] = Field(
        default_factory=list, description="Ready, CodeAvailable and Progressing."
    )

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return find_condition(self.conditions, kind)


class Function(Resource):
    """A Lambda function."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "has(self.spec.functionName) || "
                    "self.metadata.name.matches('^[a-zA-Z0-9-_]{1,64}$')"
                ),
                "metadata.name is no Lambda function name: give spec.functionName",
            ),
        )
    )
    kind_name: ClassVar[str] = "Function"
    plural: ClassVar[str] = "functions"
    short_names: ClassVar[tuple[str, ...]] = ("fn",)
    columns: ClassVar[tuple[Column, ...]] = (
        READY,
        REASON,
        Column("Runtime", "string", ".spec.runtime"),
        Column("Memory", "integer", ".spec.memory"),
        Column("State", "string", ".status.state"),
        Column("Revision", "string", ".status.revision"),
        AGE,
    )

    kind: Literal["Function"] = "Function"
    spec: FunctionSpec
    status: FunctionStatus = Field(default_factory=FunctionStatus)

    @model_validator(mode="after")
    def _is_no_destination_of_its_own(self) -> Self:
        check_not_itself(self.spec.async_, lambda name: name == self.function_name)
        return self

    @property
    def function_name(self) -> str:
        """Lambda's name of the function."""
        return self.spec.function_name or self.metadata.name

    @property
    def log_group(self) -> str:
        """The group that it logs into."""
        return self.spec.logging.group or f"/aws/lambda/{self.function_name}"


def _secrets(function: Function) -> list[Key]:
    spec = function.spec
    named = [] if spec.environment_from is None else [spec.environment_from.secret]
    named += [one.secret for one in spec.secret_files]
    return [Key(function.metadata.namespace, name) for name in dict.fromkeys(named)]


FUNCTIONS_BY_NAME = Index(
    Function, lambda function: [(function.metadata.namespace, function.function_name)]
)
"""By namespace and Lambda's name: of several with one name, one serves."""
FUNCTIONS_BY_LOG_GROUP = Index(
    Function, lambda function: [(function.metadata.namespace, function.log_group)]
)
"""By namespace and the group that they log into."""
FUNCTIONS_BY_SECRET = Index(Function, _secrets)
"""By the keys of the Secrets that hold further variables, or files."""
FUNCTIONS_BY_RUNTIME = Index(
    Function,
    lambda function: [IMAGE_RUNTIME if function.spec.code.image else function.spec.runtime],
)
"""By the name of the `Runtime` that runs them."""
FUNCTIONS_BY_LABEL = Index(
    Function,
    lambda function: [(function.metadata.namespace, label_value(function.metadata.name))],
)
"""By namespace and the label of what belongs to them."""
FUNCTIONS_BY_SECURITY_GROUP = Index(
    Function,
    lambda function: [
        (function.metadata.namespace, group)
        for group in (function.spec.network.security_group_ids if function.spec.network else ())
    ],
)
"""By namespace and the security groups that they ask for."""
FUNCTIONS_WITH_FILE_SYSTEMS = Index(
    Function,
    lambda function: [function.metadata.namespace] if function.spec.file_systems else [],
)
"""By namespace: those that ask for some."""
