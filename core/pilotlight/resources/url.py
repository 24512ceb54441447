"""What makes a function reachable by plain HTTP at an address of its own: the field `url`.

Names and limits are Lambda's (API reference, CreateFunctionUrlConfig). The gateway's
`pilotlight_gateway.http` answers there; a `Route` shares the CORS rules below.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from .meta import Model, cel

__all__ = ["Cors", "FunctionUrl", "url_id"]

LONGEST_MAX_AGE = 86_400
_ID_LENGTH = 32

Header = Annotated[str, Field(max_length=1024)]
Origin = Annotated[str, Field(min_length=1, max_length=253)]
Method = Annotated[str, Field(max_length=6)]


class Cors(Model):
    """Which web pages of other origins may call (AWS Lambda API reference, "Cors")."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.allowCredentials) || !self.allowCredentials || "
                    "!has(self.allowOrigins) || "
                    "!self.allowOrigins.exists(origin, origin.contains('*'))"
                ),
                "allowCredentials needs origins that are named",
            ),
        )
    )

    allow_credentials: bool = Field(
        default=False, description="Whether a page may send cookies and the like."
    )
    allow_headers: list[Header] = Field(
        default_factory=list, max_length=100, description="Request headers a page may set, or *."
    )
    allow_methods: list[Method] = Field(
        default_factory=list, max_length=6, description="Methods a page may use, or *."
    )
    allow_origins: list[Origin] = Field(
        default_factory=list,
        max_length=100,
        description="Origins that may call, such as https://www.example.com, or *.",
    )
    expose_headers: list[Header] = Field(
        default_factory=list, max_length=100, description="Response headers a page may read, or *."
    )
    max_age: int | None = Field(
        default=None,
        ge=0,
        le=LONGEST_MAX_AGE,
        description="Seconds that a browser may keep the answer to a preflight.",
    )

    @model_validator(mode="after")
    def _credentials_need_named_origins(self) -> Self:
        wild = [origin for origin in self.allow_origins if "*" in origin]
        if self.allow_credentials and wild:
            raise ValueError(f"allowCredentials needs origins that are named, {wild[0]} came")
        return self


class FunctionUrl(Model):
    """The address of a function or of an alias."""

    auth_type: Literal["NONE", "AWS_IAM"] = Field(description="Who may call: all, or who signs.")
    invoke_mode: Literal["BUFFERED", "RESPONSE_STREAM"] = Field(
        default="BUFFERED",
        description="Whether answers are sent when they are whole, or as the function writes them.",
    )
    needs_policy: bool = Field(
        default=False,
        description="Whether a caller without credentials needs a statement of the policy, too, as "
        "for addresses that the API makes; what a manifest opens to all is open.",
    )
    cors: Cors | None = Field(
        default=None, description="Absent: the function answers preflight requests itself."
    )


def url_id(account: str, function: str, qualifier: str | None = None) -> str:
    """Return the 32 characters that a function URL's host begins with.

    They follow from what is addressed, so an address survives a manifest that is applied anew.
    """
    digest = hashlib.sha256(f"{account}:{function}:{qualifier or ''}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:_ID_LENGTH]
