"""The Secret that an access key is: which entries it has, read where it is written and where asked.

Nothing of Kubernetes looks at its entries, so the command line that makes one, and local mode's
manifests, check it; a gateway says what is wrong in its log, and to who calls with the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidResourceError
from .identity_policies import IdentityPolicy, parse_identity_policy
from .names import ACCESS_KEY_LABEL

if TYPE_CHECKING:
    from .resources import Secret

__all__ = ["POLICY", "check_access_key", "is_access_key", "missing_parts", "policy_of"]

PARTS = {"accessKeyId", "secretAccessKey", "namespace"}
POLICY = "policy"
"""The entry that says what the key may do; without it, everything in its account."""


def is_access_key(secret: Secret) -> bool:
    """Whether a Secret is labelled as an access key."""
    return secret.metadata.labels.get(ACCESS_KEY_LABEL) == "true"


def missing_parts(secret: Secret) -> list[str]:
    """Return the entries that a key lacks, without which it is none."""
    return sorted(PARTS - secret.string_data.keys())


def policy_of(secret: Secret) -> IdentityPolicy | None:
    """Return what a key may do: nothing, where that cannot be read; None where nothing is said."""
    text = secret.string_data.get(POLICY)
    if text is None:
        return None
    try:
        return parse_identity_policy(text)
    except InvalidResourceError as error:
        return IdentityPolicy((), str(error))


def check_access_key(secret: Secret) -> None:
    """Raise InvalidResourceError where a Secret means to be an access key and is none."""
    if not is_access_key(secret):
        return
    if missing := missing_parts(secret):
        raise InvalidResourceError(
            f"stringData: an access key has {', '.join(missing)}", field="stringData"
        )
    policy = policy_of(secret)
    if policy is not None and policy.problem:
        raise InvalidResourceError(
            f"stringData.{POLICY}: {policy.problem}", field=f"stringData.{POLICY}"
        )
