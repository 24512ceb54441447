"""Environment variables that come by the API are kept in a Secret, never in spec or status.

None at all are kept as well: answers say again that an empty environment was given.
The Secret's name holds a digest of the values: a change makes another Secret and so another spec,
and the revision that still serves keeps its own until it is superseded (the operator's
`services.environment_secrets` owns and drops them).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pilotlight.errors import AlreadyExistsError
from pilotlight.names import FUNCTION_LABEL
from pilotlight.publishing import environment_secret_name
from pilotlight.resources import Key, ObjectMeta, Secret
from pilotlight.resources.environment import check_environment
from pilotlight.revision import digest_environment
from pilotlight_gateway.errors import InvalidParameterValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.storage import ResourceStore

__all__ = ["check", "keep"]


def check(given: Mapping[str, Any]) -> None:
    """Refuse variables that Lambda refuses, before anything is kept."""
    try:
        check_environment(_variables(given) or {})
    except ValueError as error:
        raise InvalidParameterValueError(str(error)) from error


async def keep(resources: ResourceStore, function: Key, given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a request's variables; gives the members of the spec that say where they are."""
    variables = _variables(given)
    if variables is None:
        return {}
    name = environment_secret_name(function.name, digest_environment(variables))
    secret = Secret(
        metadata=ObjectMeta(
            name=name, namespace=function.namespace, labels={FUNCTION_LABEL: function.name}
        ),
        string_data=variables,
    )
    with contextlib.suppress(AlreadyExistsError):  # the same values, by their digest
        await resources.create(secret)
    return {"environment": {}, "environmentFrom": {"secret": name}}


def _variables(given: Mapping[str, Any]) -> dict[str, str] | None:
    environment = given.get("Environment")
    return None if environment is None else dict(environment.get("Variables") or {})
