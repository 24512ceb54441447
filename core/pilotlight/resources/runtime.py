"""`Runtime`, the cluster-scoped resource that says which image runs a Lambda runtime id.

Its name is the runtime id itself (`python3.13`). A function whose runtime has no `Runtime` gets a
clear condition. What is known of ids without one is `pilotlight.runtimes`.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from .meta import AGE, Column, Model, Resource

__all__ = ["Pool", "Runtime", "RuntimeSpec"]


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

    @property
    def recipe(self) -> str:
        """Name the way in which its pods are made: pods of another recipe are replaced."""
        made = self.model_dump_json(exclude={"pool"})
        return hashlib.sha256(made.encode()).hexdigest()[:16]


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
