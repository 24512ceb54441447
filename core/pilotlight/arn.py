"""Lambda's ways to name a function in a request: name, `name:qualifier`, partial and full ARN.

Parsing is pure; whether the region and the account are the ones served here is the gateway's
question (`pilotlight_gateway.invocation.reference`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "FunctionReference",
    "LayerReference",
    "function_arn",
    "layer_version_arn",
    "parse_function_reference",
    "parse_layer_version_arn",
]

_REFERENCE = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:)?"
    r"(?:(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:(?P<marker>function):)?"
    r"(?P<name>[a-zA-Z0-9-_]{1,140})"
    r"(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """What a `FunctionName` said; parts that it left out are None."""

    name: str
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None


def parse_function_reference(text: str) -> FunctionReference | None:
    """Parse a `FunctionName`; None where it is none of Lambda's four forms."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    full = part["partition"] is not None
    if full and not (part["region"] and part["account"] and part["marker"]):
        return None
    if part["region"] and not full:
        return None
    if part["account"] and not part["marker"]:
        return None
    return FunctionReference(part["name"], part["qualifier"], part["account"], part["region"])


def function_arn(region: str, account: str, name: str, qualifier: str | None = None) -> str:
    """Build the ARN of a function, qualified if a qualifier is given."""
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


_LAYER_VERSION = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:"
    r"(?P<name>[a-zA-Z0-9-_]{1,140}):(?P<version>[1-9]\d{0,8})"
)


@dataclass(frozen=True, slots=True)
class LayerReference:
    """What the ARN of a layer's version said."""

    region: str
    account: str
    name: str
    version: int


def parse_layer_version_arn(arn: str) -> LayerReference | None:
    """Parse the ARN of a layer's version; None where it is none."""
    match = _LAYER_VERSION.fullmatch(arn)
    if match is None:
        return None
    return LayerReference(match["region"], match["account"], match["name"], int(match["version"]))


def layer_version_arn(region: str, account: str, name: str, version: int) -> str:
    """Build the ARN of a layer's version."""
    return f"arn:aws:lambda:{region}:{account}:layer:{name}:{version}"
