"""`/-/apply` and `/-/functions/…`: resources as they are, for the command line.

What `kubectl` is on a cluster, these are wherever there is none; both write the same resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.errors import InvalidResourceError, NotFoundError
from pilotlight.manifest import parse_manifest
from pilotlight.names import ENVIRONMENT_LABEL, FUNCTION_LABEL
from pilotlight.resources import (
    ROUTES_BY_HOST,
    Function,
    FunctionAlias,
    Key,
    Resource,
    Route,
    Secret,
)
from pilotlight_gateway.errors import FunctionNotFoundError
from pilotlight_gateway.exchange import Reply, json_reply, parse_json

from .describe import describe

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["apply", "delete_function", "get_function"]


async def apply(services: Services, call: Call) -> Reply:
    """Create or change one resource of the caller's account."""
    wanted = parse_manifest(parse_json(call.body or b"null"))
    if wanted.cluster_scoped:
        raise InvalidResourceError(
            f"kind: {wanted.kind} cannot be applied here, Function can; "
            "Runtimes are the cluster's, use kubectl",
            field="kind",
        )
    namespace = wanted.metadata.namespace or call.caller.namespace
    if namespace != call.caller.namespace:
        raise InvalidResourceError(
            f"metadata.namespace: {namespace!r} came, the caller's account is "
            f"{call.caller.namespace!r}",
            field="metadata.namespace",
        )
    wanted.metadata.namespace = namespace
    if isinstance(wanted, Route):
        _refuse_foreign_host(services, wanted)
        _refuse_rival(services, wanted)
    if isinstance(wanted, Function):
        await _refuse_secret(services, wanted)
    if isinstance(wanted, FunctionAlias):
        await _refuse_own_destination(services, wanted)
    return json_reply((await _put(services, wanted)).to_json())


async def get_function(services: Services, call: Call) -> Reply:
    """Return a function as it is stored, and how it stands at this gateway."""
    function = await _find(services, call)
    return json_reply(function.to_json() | describe(services, function))


async def delete_function(services: Services, call: Call) -> Reply:
    """Delete a function."""
    function = await _find(services, call)
    await services.resources.delete(Function, function.key)
    return Reply(204)


async def _put(services: Services, wanted: Resource) -> Resource:
    try:
        present = await services.resources.get(type(wanted), wanted.key)
    except NotFoundError:
        return await services.resources.create(wanted)
    if isinstance(present, Function) and isinstance(wanted, Function):
        _refuse_renaming(present, wanted)
    metadata = present.metadata.model_copy(update=_written(wanted))
    update = {"spec": getattr(wanted, "spec", None), "metadata": metadata}
    changed = present.model_copy(update=update)
    return present if changed == present else await services.resources.replace(changed)


def _refuse_foreign_host(services: Services, wanted: Route) -> None:
    host = wanted.spec.host
    if not services.settings.hosts.allows(wanted.metadata.namespace, host):
        raise InvalidResourceError(
            f"spec.host: {host} is no host that this account may have", field="spec.host"
        )


def _refuse_rival(services: Services, wanted: Route) -> None:
    """Refuse a route that asks for what another one asks for, be that one older or not."""
    routes = {one.key: one for one in services.cache.by(ROUTES_BY_HOST, wanted.spec.host)}
    present = routes.pop(wanted.key, None)
    if present is not None and present.spec == wanted.spec:
        return
    if any(one.wants_the_same(wanted) for one in routes.values()):
        raise InvalidResourceError(
            f"spec.path: {wanted.spec.host}{wanted.spec.path} is another route's already",
            field="spec.path",
        )


async def _refuse_secret(services: Services, wanted: Function) -> None:
    """Refuse a Secret that is not for functions: whoever may apply could read it."""
    if services.settings.unlabelled_secrets:
        return
    reference = wanted.spec.environment_from
    named = [("environmentFrom.secret", reference.secret)] if reference else []
    named += [("secretFiles.secret", one.secret) for one in wanted.spec.secret_files]
    for place, name in named:
        secret = await services.cache.find(Secret, Key(wanted.metadata.namespace, name))
        labels = secret.metadata.labels if secret else {}
        is_own = labels.get(FUNCTION_LABEL) == wanted.key.name
        if labels.get(ENVIRONMENT_LABEL) != "true" and not is_own:
            raise InvalidResourceError(
                f"spec.{place}: {name!r} is no Secret for functions: one with the label "
                f"{ENVIRONMENT_LABEL}=true is expected",
                field=f"spec.{place}",
            )


async def _refuse_own_destination(services: Services, wanted: FunctionAlias) -> None:
    """Refuse an alias whose events end at its own function, by whatever name."""
    try:
        key = Key(wanted.metadata.namespace, wanted.spec.function)
        function = await services.resources.get(Function, key)
    except NotFoundError:
        return  # once it is there, the operator says it in the alias' condition
    problem = wanted.own_destination(function)
    if problem is not None:
        raise InvalidResourceError(f"spec.{problem}", field="spec.async")


def _refuse_renaming(present: Function, wanted: Function) -> None:
    if present.function_name != wanted.function_name:
        raise InvalidResourceError(
            f"spec.functionName: {wanted.function_name!r} came, {present.function_name!r} is "
            "there: the name of a function never changes",
            field="spec.functionName",
        )


def _written(wanted: Resource) -> dict[str, Any]:
    return {"labels": wanted.metadata.labels, "annotations": wanted.metadata.annotations}


async def _find(services: Services, call: Call) -> Function:
    name = call.parameters["name"]
    try:
        key = await services.catalogue.key_of(call.caller.namespace, name)
        return await services.resources.get(Function, key)
    except NotFoundError as error:
        raise FunctionNotFoundError(f"Function not found: {name}") from error
