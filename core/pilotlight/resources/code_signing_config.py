"""`CodeSigningConfig`: whose signatures a function's code must carry, as the API writes it down.

Packages carry no signatures here (AWS Signer's are made and checked by AWS), so each is one that
cannot be trusted: a policy of `Enforce` refuses every new package of its functions, `Warn` none.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .function import MOST_TAGS
from .meta import AGE, Column, Model, Resource

__all__ = ["CodeSigningConfig", "CodeSigningConfigSpec"]


class CodeSigningConfigSpec(Model):
    """What is wanted of signatures."""

    description: str = Field(default="", max_length=256, description="For people.")
    signing_profiles: list[str] = Field(
        min_length=1, max_length=20, description="ARNs of AWS Signer's profile versions."
    )
    policy: Literal["Warn", "Enforce"] = Field(
        default="Warn", description="Whether code without a trusted signature is refused."
    )
    tags: dict[str, str] = Field(
        default_factory=dict, max_length=MOST_TAGS, description="Tags; nothing depends on them."
    )
    modified: str = Field(default="", description="When the API changed it, RFC 3339.")


class CodeSigningConfig(Resource):
    """A code signing configuration; its name is its id."""

    kind_name: ClassVar[str] = "CodeSigningConfig"
    plural: ClassVar[str] = "codesigningconfigs"
    short_names: ClassVar[tuple[str, ...]] = ("csc",)
    columns: ClassVar[tuple[Column, ...]] = (Column("Policy", "string", ".spec.policy"), AGE)
    in_manifests: ClassVar[bool] = False

    kind: Literal["CodeSigningConfig"] = "CodeSigningConfig"
    spec: CodeSigningConfigSpec
