"""Which layers a function gets: by ARN, of its own account or of one whose policy lets it.

The API asks before it writes an ARN down, the operator whenever it reads one: `kubectl` may write
any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import namespace_of
from .arn import parse_layer_version_arn
from .errors import NotFoundError
from .policies import PolicyRequest, decide
from .resources import LAYER_VERSIONS_BY_LAYER, LayerVersion

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["GET_LAYER_VERSION", "find_layer_version"]

GET_LAYER_VERSION = "lambda:GetLayerVersion"


def find_layer_version(cache: Cache, arn: str, *, region: str, account: str) -> LayerVersion:
    """Return the version of an ARN that an account may use, deleted ones too.

    Raises NotFoundError, also where it may not: who may not use it need not know of it.
    """
    named = parse_layer_version_arn(arn)
    if named is not None and named.region == region:
        namespace = namespace_of(cache, named.account) or ""
        for found in cache.by(LAYER_VERSIONS_BY_LAYER, (namespace, named.name)):
            if found.spec.version == named.version and (
                named.account == account or _lets(found, account)
            ):
                return found
    raise NotFoundError(f"Layer version {arn} does not exist.")


def _lets(layer: LayerVersion, account: str) -> bool:
    root = f"arn:aws:iam::{account}:root"
    return decide(layer.spec.policy, PolicyRequest(GET_LAYER_VERSION, account, root)) == "Allow"
