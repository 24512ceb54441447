"""What one revision runs: everything that its environments are started from.

The operator puts it together of a `Function` and what that names; its hash is the revision
(`pilotlight.revision`). A version keeps one.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from .environment import ENVIRONMENT_BOUNDS
from .file_system import MOST_FILE_SYSTEMS, Mount
from .image import Image  # noqa: TC001  pydantic reads it at run time
from .meta import Model, cel
from .network import Network  # noqa: TC001  pydantic reads it at run time
from .secret_files import MOST_SECRET_FILES, SecretFiles

__all__ = [
    "MOST_LAYERS",
    "SHA256",
    "Configuration",
    "Layer",
    "Layers",
    "Logging",
    "SnapStart",
    "TenantIsolation",
    "Tracing",
]

SHA256 = r"^[0-9a-f]{64}$"
MOST_LAYERS = 5
_LayerArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]{1,140}:[0-9]+$"
    ),
]


def _check_layers(arns: list[str]) -> list[str]:
    layers = [arn.rpartition(":")[0] for arn in arns]
    twice = sorted({layer for layer in layers if layers.count(layer) > 1})
    if twice:
        raise ValueError(
            "Two different versions of the same layer are not allowed to be referenced in the same "
            f"function: {twice[0]}"
        )
    return arns


Layers = Annotated[list[_LayerArn], AfterValidator(_check_layers)]
"""ARNs of versions of layers."""
Tracing = Literal["PassThrough", "Active"]
"""Lambda's TracingConfig: whether the platform decides that a trace is recorded."""
SnapStart = Literal["None", "PublishedVersions"]
"""Lambda's SnapStart.ApplyOn."""
TenantIsolation = Literal["PER_TENANT"]
"""Lambda's TenancyConfig: whether each tenant has environments of its own."""


class Logging(Model):
    """How the function logs (AWS Lambda Developer Guide, "Configuring log formats")."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.format == 'JSON' || (!has(self.applicationLevel) && !has(self.systemLevel))",
                "log levels are only supported with format JSON",
            ),
        )
    )

    format: Literal["Text", "JSON"] = Field(default="Text", description="Shape of log lines.")
    application_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] | None = Field(
        default=None, description="Least level of the function's own lines; JSON only."
    )
    system_level: Literal["DEBUG", "INFO", "WARN"] | None = Field(
        default=None, description="Least level of the platform's lines; JSON only."
    )
    group: str | None = Field(
        default=None,
        pattern=r"^[.\-_/#A-Za-z0-9]{1,512}$",
        description="Log group; /aws/lambda/<functionName> if absent.",
    )

    @model_validator(mode="after")
    def _levels_need_json(self) -> Self:
        if self.format == "Text" and (self.application_level or self.system_level):
            raise ValueError("log levels are only supported with format JSON")
        return self


class Layer(Model):
    """A version of a layer that a revision has."""

    arn: str = Field(description="ARN of the version.")
    sha256: str = Field(pattern=SHA256, description="sha256 (hex) of its archive.")
    size: int = Field(description="Bytes of its archive.")


class Configuration(Model):
    """What one revision runs: everything that its environments are started from."""

    runtime: str = Field(description="The Lambda runtime id.")
    handler: str = Field(description="What answers, in the runtime's own notation.")
    code_sha256: str = Field(
        pattern=r"^([0-9a-f]{64})?$",
        description="sha256 (hex) of the package, or an image's digest; empty where nobody knows.",
    )
    image: Image | None = Field(default=None, description="The container image, if it is one.")
    memory: int = Field(description="Megabytes an environment may use.")
    timeout: int = Field(description="Seconds an invocation may take.")
    ephemeral_storage: int = Field(description="Megabytes of /tmp.")
    environment: dict[str, str] = Field(
        default_factory=dict,
        description="Environment variables of the spec.",
        json_schema_extra=ENVIRONMENT_BOUNDS,
    )
    environment_secret: str | None = Field(
        default=None, description="The Secret that holds further variables."
    )
    environment_digest: str | None = Field(
        default=None, description="Digest of that Secret's variables."
    )
    kms_key_arn: str | None = Field(
        default=None, description="What that Secret's variables are encrypted by."
    )
    environments_per_pod: int = Field(default=1, description="Environments that share a pod.")
    calls_per_environment: int = Field(
        default=1, description="Calls that an environment takes at once."
    )
    role: str | None = Field(default=None, description="ARN of the execution role.")
    logging: Logging = Field(default_factory=Logging, description="How the function logs.")
    layers: list[Layer] = Field(
        default_factory=list, max_length=MOST_LAYERS, description="What lies in /opt, in order."
    )
    tracing: Tracing = Field(default="PassThrough", description="Lambda's tracing mode.")
    tenant_isolation_mode: TenantIsolation | None = Field(
        default=None, description="Whether environments are a tenant's own."
    )
    snap_start: SnapStart = Field(default="None", description="Lambda's SnapStart.")
    file_systems: list[Mount] = Field(
        default_factory=list, max_length=MOST_FILE_SYSTEMS, description="What lies below /mnt."
    )
    secret_files: list[SecretFiles] = Field(
        default_factory=list, max_length=MOST_SECRET_FILES, description="Secrets below /mnt."
    )
    network: Network | None = Field(
        default=None, description="What it may reach, if not what all functions may."
    )
