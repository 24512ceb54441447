"""`Runtime`, the cluster-scoped resource that says which image runs a Lambda runtime id.

Its name is the runtime id itself (`python3.13`). A function whose runtime has no `Runtime` gets a
clear condition. The table below is every id that Lambda's API accepts (botocore's Lambda model).
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from .meta import AGE, Column, Model, Resource

__all__ = ["DEPRECATED_RUNTIMES", "RUNTIMES", "Pool", "Runtime", "RuntimeSpec"]

DEPRECATED_RUNTIMES = frozenset({
    "nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x",
    "nodejs12.x", "nodejs14.x", "nodejs16.x", "nodejs18.x", "java8", "python2.7", "python3.6",
    "python3.7", "python3.8", "python3.9", "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1",
    "dotnetcore3.1", "dotnet6", "go1.x", "ruby2.5", "ruby2.7", "provided",
})  # fmt: skip
RUNTIMES = DEPRECATED_RUNTIMES | {
    "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x", "java8.al2", "java11", "java17",
    "java21", "java25", "java8.al2023", "java11.al2023", "java17.al2023",
    "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15",
    "dotnet8", "dotnet10", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0",
    "provided.al2", "provided.al2023",
}  # fmt: skip


class Pool(Model):
    """How many generic pods of the runtime wait in each account that has functions of it."""

    minimum: int = Field(
        default=1, ge=0, le=1000, description="Pods that wait wherever the runtime was just used."
    )
    maximum: int = Field(default=20, ge=0, le=1000, description="Pods that wait at most.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class RuntimeSpec(Model):
    """How pods of the runtime are made."""

    image: str = Field(min_length=1, description="The image that pods of this runtime run.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When the kubelet pulls the image."
    )
    overhead: int = Field(
        default=64, ge=16, le=1024, description="Megabytes of a pod beside its function's memory."
    )
    pool: Pool = Field(default_factory=Pool, description="Generic pods that wait, warm.")


class Runtime(Resource):
    """A Lambda runtime that this cluster can run."""

    kind_name: ClassVar[str] = "Runtime"
    plural: ClassVar[str] = "runtimes"
    short_names: ClassVar[tuple[str, ...]] = ("rt",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Image", "string", ".spec.image"),
        Column("Overhead", "integer", ".spec.overhead"),
        AGE,
    )
    cluster_scoped: ClassVar[bool] = True

    kind: Literal["Runtime"] = "Runtime"
    spec: RuntimeSpec
