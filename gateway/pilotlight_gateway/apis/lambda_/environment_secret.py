"""Environment variables that come by the API are kept in a Secret, never in spec or status.

None at all are kept as well: answers say again that an empty environment was given.
Where the function has a KMSKeyArn the values are encrypted (`pilotlight.variable_encryption`).
The Secret's name holds a digest of the values: a change makes another Secret and so another spec,
and the revision that still serves keeps its own until it is superseded (the operator's
`services.environment_secrets` owns and drops them).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pilotlight.errors import AlreadyExistsError
from pilotlight.names import ENCRYPTED_BY_ANNOTATION, FUNCTION_LABEL
from pilotlight.publishing import environment_secret_name
from pilotlight.resources import Key, ObjectMeta, Secret
from pilotlight.resources.environment import check_environment
from pilotlight.revision import digest_environment
from pilotlight.variable_encryption import VariableCipher, variables_of
from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import Function
    from pilotlight_gateway.services import Services

__all__ = ["check", "keep", "read"]


def check(given: Mapping[str, Any]) -> None:
    """Refuse variables that Lambda refuses, before anything is kept."""
    try:
        check_environment(_variables(given) or {})
    except ValueError as error:
        raise InvalidParameterValueError(str(error)) from error


async def keep(
    services: Services, function: Key, given: Mapping[str, Any], key_arn: str | None
) -> dict[str, Any]:
    """Keep a request's variables; gives the members of the spec that say where they are."""
    variables = _variables(given)
    if variables is None:
        return {}
    digest, annotations = digest_environment(variables), {}
    if key_arn:
        cipher = VariableCipher(services.settings.platform_key, function, key_arn)
        digest, variables = cipher.digest(variables), cipher.encrypt(variables)
        annotations = {ENCRYPTED_BY_ANNOTATION: key_arn}
    name = environment_secret_name(function.name, digest)
    secret = Secret(
        metadata=ObjectMeta(
            name=name,
            namespace=function.namespace,
            labels={FUNCTION_LABEL: function.name},
            annotations=annotations,
        ),
        string_data=variables,
    )
    with contextlib.suppress(AlreadyExistsError):  # the same values, by their digest
        await services.resources.create(secret)
    return {"environment": {}, "environmentFrom": {"secret": name}}


async def read(services: Services, function: Function) -> dict[str, str] | None:
    """Return the variables; None where nobody ever gave any, not even an empty environment.

    Raises UndecryptableError.
    """
    spec = function.spec
    if spec.environment_from is None:
        return spec.environment or None
    key = Key(function.metadata.namespace, spec.environment_from.secret)
    secret = await services.cache.find(Secret, key)
    if secret is None:
        return spec.environment
    return variables_of(services.settings.platform_key, function.key, secret) | spec.environment


def _variables(given: Mapping[str, Any]) -> dict[str, str] | None:
    environment = given.get("Environment")
    return None if environment is None else dict(environment.get("Variables") or {})
