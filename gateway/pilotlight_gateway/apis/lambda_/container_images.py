"""Functions that are container images: what CreateFunction and the updates may ask for of them.

Texts are Lambda's where it has one (AWS::Lambda::Function in the CloudFormation reference, and the
service's own answers to UpdateFunctionCode).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import Function, Image, ImageConfig

__all__ = [
    "asks_for_image",
    "check_code_of",
    "check_members",
    "image_code",
    "image_config",
    "image_config_response",
    "served_image",
]

_MEMBERS = {
    "EntryPoint": "entryPoint",
    "Command": "command",
    "WorkingDirectory": "workingDirectory",
}
_OF_PACKAGES = ("Runtime", "Handler", "Layers", "CodeSigningConfigArn")
_PACKAGES = ("ZipFile", "S3Bucket")


def asks_for_image(given: Mapping[str, Any]) -> bool:
    """Say whether CreateFunction asks for an image; raises InvalidParameterValueError."""
    is_image = given.get("PackageType") == "Image"
    _check_code(given.get("Code") or {}, is_image=is_image, doing="creating")
    check_members(given, is_image=is_image)
    return is_image


def check_code_of(function: Function, code: Mapping[str, Any]) -> bool:
    """Say whether UpdateFunctionCode brings an image; raises InvalidParameterValueError."""
    is_image = function.spec.code.image is not None
    _check_code(code, is_image=is_image, doing="updating")
    return is_image


def _check_code(code: Mapping[str, Any], *, is_image: bool, doing: str) -> None:
    uri = code.get("ImageUri")
    if is_image and (not uri or any(code.get(name) for name in _PACKAGES)):
        raise InvalidParameterValueError(
            f"Please provide ImageUri when {doing} a function with packageType Image."
        )
    if uri and not is_image:
        raise InvalidParameterValueError(
            f"Please don't provide ImageUri when {doing} a function with packageType Zip."
        )


def check_members(given: Mapping[str, Any], *, is_image: bool) -> None:
    """Refuse members that are of the other type of package."""
    if not is_image and given.get("ImageConfig"):
        raise InvalidParameterValueError(
            "The ImageConfig parameter is not supported for functions created with deployment "
            "packages."
        )
    wrong = [name for name in _OF_PACKAGES if is_image and given.get(name)]
    if set(wrong) & {"Runtime", "Handler"}:
        raise InvalidParameterValueError(
            "The Runtime and Handler parameters are not supported for functions created with "
            "container images."
        )
    if wrong:
        raise InvalidParameterValueError(
            f"The {wrong[0]} parameter is not supported for functions created with container "
            "images."
        )


def image_code(code: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec's code that is an image."""
    return {"image": code["ImageUri"]}


def image_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec's imageConfig: the whole, in which what is empty is the image's own."""
    return {name: given[member] for member, name in _MEMBERS.items() if given.get(member)}


def image_config_response(config: ImageConfig | None) -> dict[str, Any]:
    """Return ImageConfigResponse, where anything is set in place of the image's own."""
    said = config.to_json() if config else {}
    told = {member: said[name] for member, name in _MEMBERS.items() if name in said}
    return {"ImageConfigResponse": {"ImageConfig": told}} if told else {}


def served_image(function: Function) -> Image | None:
    """Return the image as it is served, unless one was asked for since, by its name or another."""
    served, code = function.status.configuration, function.spec.code
    image = served.image if served else None
    asked = function.status.image_refresh, image and image.uri
    return image if asked == (code.image_refresh, code.image) else None
