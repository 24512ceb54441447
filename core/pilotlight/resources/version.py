"""`FunctionVersion`: what a function was when it was published; its code and configuration stay.

Made by publishing only (`pilotlight.publishing`). Who reads functions reads versions the same way:
`as_function` returns the function that the version froze.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from .asynchronous import AsyncConfig  # noqa: TC001  pydantic reads it at run time
from .code import Code
from .configuration import Configuration  # noqa: TC001  pydantic reads it at run time
from .file_system import FileSystem, Mount
from .function import (
    FUNCTION_NAME,
    Function,
    FunctionSpec,
    FunctionStatus,
    SecretReference,
)
from .meta import (
    AGE,
    READY,
    Column,
    Condition,
    Index,
    Key,
    Model,
    ObjectMeta,
    Resource,
    cel,
    find_condition,
)
from .policy import PolicyStatement  # noqa: TC001  pydantic reads it at run time

__all__ = [
    "PROVISIONED_VERSIONS",
    "VERSIONS_BY_FUNCTION",
    "VERSIONS_BY_NUMBER",
    "FunctionVersion",
    "FunctionVersionSpec",
    "FunctionVersionStatus",
    "ProvisionedStatus",
]


class ProvisionedStatus(Model):
    """How far provisioned concurrency is (Lambda API, GetProvisionedConcurrencyConfig)."""

    requested: int = Field(description="Environments that are wanted.")
    allocated: int = Field(default=0, description="Environments that there are.")
    available: int = Field(default=0, description="Environments that may be used, or are.")
    status: Literal["IN_PROGRESS", "READY", "FAILED"] = Field(
        default="IN_PROGRESS", description="Lambda's Status."
    )
    status_reason: str | None = Field(default=None, description="Lambda's StatusReason.")
    last_modified: str | None = Field(default=None, description="When the request last changed.")


class FunctionVersionSpec(Model):
    """A published version; only `provisionedConcurrency`, `async` and `policy` may change."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "self.__function__ == oldSelf.__function__ && "
                    "self.functionName == oldSelf.functionName && "
                    "self.version == oldSelf.version && self.revision == oldSelf.revision && "
                    "self.configuration == oldSelf.configuration"
                ),
                "a version's code and configuration never change",
            ),
        )
    )

    function: str = Field(max_length=253, description="Object name of the function.")
    function_name: str = Field(pattern=FUNCTION_NAME, description="Lambda's name of the function.")
    version: int = Field(ge=1, description="The version's number.")
    description: str = Field(default="", max_length=256, description="For people.")
    configuration: Configuration = Field(description="What the version runs.")
    code_size: int = Field(default=0, description="Bytes of the deployment package.")
    architecture: Literal["x86_64", "arm64"] = Field(
        default="x86_64", description="Instruction set of the code."
    )
    revision: str = Field(max_length=63, description="Hash of the configuration and the number.")
    provisioned_concurrency: int | None = Field(
        default=None, ge=1, description="Environments that are kept initialised."
    )
    async_: AsyncConfig | None = Field(
        default=None, alias="async", description="How events sent to the version are handled."
    )
    policy: list[PolicyStatement] = Field(
        default_factory=list,
        max_length=100,
        description="Who else may use it, and who may not (Lambda's resource-based policy).",
    )


class FunctionVersionStatus(Model):
    """What the operator knows of the version."""

    observed_generation: int = Field(default=0, description="The generation that was observed.")
    provisioned: ProvisionedStatus | None = Field(
        default=None, description="How far provisioned concurrency is."
    )
    snap_start: Literal["On", "Off"] = Field(
        default="Off", description="Lambda's OptimizationStatus: whether it starts by fork."
    )
    conditions: list[Condition] = Field(default_factory=list, description="Ready.")


class FunctionVersion(Resource):
    """A published version of a function."""

    kind_name: ClassVar[str] = "FunctionVersion"
    plural: ClassVar[str] = "functionversions"
    short_names: ClassVar[tuple[str, ...]] = ("fnv",)
    columns: ClassVar[tuple[Column, ...]] = (
        READY,
        Column("Function", "string", ".spec.functionName"),
        Column("Version", "integer", ".spec.version"),
        Column("Provisioned", "integer", ".spec.provisionedConcurrency"),
        Column("Available", "integer", ".status.provisioned.available"),
        AGE,
    )
    in_manifests: ClassVar[bool] = False

    kind: Literal["FunctionVersion"] = "FunctionVersion"
    spec: FunctionVersionSpec
    status: FunctionVersionStatus = Field(default_factory=FunctionVersionStatus)

    @property
    def number(self) -> str:
        """The version as Lambda writes it."""
        return str(self.spec.version)

    @property
    def function(self) -> Key:
        """Where the function is."""
        return Key(self.metadata.namespace, self.spec.function)

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return find_condition(self.status.conditions, kind)

    def as_function(self) -> Function:
        """Return the function that this version froze, under the function's own key."""
        configuration = self.spec.configuration
        return Function(
            metadata=self._function_metadata(),
            spec=_spec(self.spec),
            status=FunctionStatus(
                observed_generation=self.metadata.generation,
                revision=self.spec.revision,
                configuration=configuration,
                code_size=self.spec.code_size,
                last_modified=self.metadata.creation_timestamp,
                state="Active",
                last_update_status="Successful",
            ),
        )

    def _function_metadata(self) -> ObjectMeta:
        return ObjectMeta(
            name=self.spec.function,
            namespace=self.metadata.namespace,
            uid=self.metadata.uid,
            generation=self.metadata.generation,
            creation_timestamp=self.metadata.creation_timestamp,
        )


def _spec(version: FunctionVersionSpec) -> FunctionSpec:
    configuration = version.configuration
    secret = configuration.environment_secret
    image = configuration.image
    return FunctionSpec(
        function_name=version.function_name,
        description=version.description,
        runtime=None if image else configuration.runtime,
        handler=None if image else configuration.handler,
        code=Code(image=image.uri) if image else Code(zip=configuration.code_sha256),
        image_config=image.config if image else None,
        memory=configuration.memory,
        timeout=configuration.timeout,
        ephemeral_storage=configuration.ephemeral_storage,
        environment=configuration.environment,
        environment_from=SecretReference(secret=secret) if secret else None,
        kms_key_arn=configuration.kms_key_arn,
        environments_per_pod=configuration.environments_per_pod,
        calls_per_environment=configuration.calls_per_environment,
        role=configuration.role,
        architecture=version.architecture,
        logging=configuration.logging,
        layers=[one.arn for one in configuration.layers],
        tracing=configuration.tracing,
        tenant_isolation_mode=configuration.tenant_isolation_mode,
        snap_start=configuration.snap_start,
        file_systems=[_asked(mount) for mount in configuration.file_systems],
        secret_files=configuration.secret_files,
        network=configuration.network,
    )


def _asked(mount: Mount) -> FileSystem:
    return FileSystem(
        claim=mount.claim,
        access_point=None if mount.claim else mount.access_point,
        path=mount.path,
        read_only=mount.read_only,
    )


VERSIONS_BY_FUNCTION = Index(FunctionVersion, lambda version: [version.function])
VERSIONS_BY_NUMBER = Index(FunctionVersion, lambda version: [(version.function, version.number)])
"""By the function's key and the number as Lambda writes it."""
PROVISIONED_VERSIONS = Index(
    FunctionVersion, lambda version: [True] if version.spec.provisioned_concurrency else []
)
"""By True: those that ask for provisioned concurrency."""
