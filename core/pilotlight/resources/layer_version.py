"""`LayerVersion`: one version of a layer, files that functions find in /opt.

The API publishes it and nothing changes it but its policy, and that it was deleted: then nobody new
may use it, and functions that do go on. Its number is never given again. `pilotlight.layers` reads
its ARN.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..arn import layer_version_arn
from .meta import AGE, Column, Index, Model, Resource
from .policy import PolicyStatement  # noqa: TC001  pydantic reads it at run time

__all__ = ["LAYER_VERSIONS_BY_LAYER", "LayerVersion", "LayerVersionSpec"]

SHA256 = r"^[0-9a-f]{64}$"


class LayerVersionSpec(Model):
    """What was published."""

    layer: str = Field(pattern=r"^[a-zA-Z0-9-_]{1,140}$", description="Name of the layer.")
    version: int = Field(ge=1, description="Number of the version.")
    description: str = Field(default="", max_length=256, description="For people.")
    license_info: str = Field(default="", max_length=512, description="For people.")
    compatible_runtimes: list[str] = Field(
        default_factory=list, max_length=15, description="Runtimes that it is meant for."
    )
    compatible_architectures: list[str] = Field(
        default_factory=list, max_length=2, description="Instruction sets that it is meant for."
    )
    code_sha256: str = Field(pattern=SHA256, description="sha256 (hex) of the archive.")
    code_size: int = Field(description="Bytes of the archive.")
    unpacked_size: int = Field(description="Bytes of its files.")
    created: str = Field(description="When it was published, as Lambda writes it.")
    deleted: bool = Field(default=False, description="Whether nobody new may use it.")
    policy: list[PolicyStatement] = Field(
        default_factory=list, max_length=100, description="Which other accounts may use it."
    )


class LayerVersion(Resource):
    """A version of a layer."""

    kind_name: ClassVar[str] = "LayerVersion"
    plural: ClassVar[str] = "layerversions"
    short_names: ClassVar[tuple[str, ...]] = ("lv",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Layer", "string", ".spec.layer"),
        Column("Version", "integer", ".spec.version"),
        AGE,
    )
    in_manifests: ClassVar[bool] = False

    kind: Literal["LayerVersion"] = "LayerVersion"
    spec: LayerVersionSpec

    def arn(self, region: str, account: str) -> str:
        """Return its ARN."""
        return layer_version_arn(region, account, self.spec.layer, self.spec.version)


LAYER_VERSIONS_BY_LAYER = Index(
    LayerVersion, lambda one: [(one.metadata.namespace, one.spec.layer)]
)
"""By namespace and the layer's name."""
