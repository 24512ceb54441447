"""What each operation would do, in the words of policies.

Actions, resources and condition keys: Service Authorization Reference, "Actions, resources, and
condition keys for AWS Lambda". Which actions a policy may grant to other accounts: AWS Lambda
Developer Guide, "Granting Lambda function access to other accounts".
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pilotlight.arn import function_arn, layer_version_arn, parse_layer_version_arn
from pilotlight.resources import MAPPINGS_BY_UID
from pilotlight_gateway.access import EVERYTHING, Access
from pilotlight_gateway.errors import InvalidParameterValueError, ValidationError
from pilotlight_gateway.invocation.reference import LATEST, read_reference

from .inputs import check_head
from .model import load_model

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["INVOKE", "access_of"]

INVOKE = "lambda:InvokeFunction"
_ACTIONS = {
    "Invoke": INVOKE,
    "InvokeAsync": INVOKE,
    "InvokeWithResponseStream": INVOKE,
    "GetLayerVersionByArn": "lambda:GetLayerVersion",
}
"""Of operations that are called otherwise than their action."""
AUTH_TYPE = "lambda:functionurlauthtype"
_AUTH_TYPES = {
    "AddPermission": "FunctionUrlAuthType",
    "CreateFunctionUrlConfig": "AuthType",
    "UpdateFunctionUrlConfig": "AuthType",
}
"""Members that say who may call a function URL, for the condition key of that name."""
_SHARED = frozenset(
    {
        "CreateAlias", "DeleteAlias", "DeleteFunction", "DeleteFunctionConcurrency",
        "DeleteFunctionEventInvokeConfig", "DeleteProvisionedConcurrencyConfig", "GetAlias",
        "GetFunction", "GetFunctionConcurrency", "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig", "GetPolicy", "GetProvisionedConcurrencyConfig", "Invoke",
        "InvokeAsync", "InvokeWithResponseStream", "ListAliases", "ListFunctionEventInvokeConfigs",
        "ListProvisionedConcurrencyConfigs", "ListTags", "ListVersionsByFunction",
        "PublishVersion", "PutFunctionConcurrency", "PutFunctionEventInvokeConfig",
        "PutProvisionedConcurrencyConfig", "TagResource", "UntagResource", "UpdateAlias",
        "UpdateFunctionCode", "UpdateFunctionEventInvokeConfig",
    }
)  # fmt: skip
"""Operations on a function that its policy may let other accounts do."""

_OF_POLICY = frozenset(
    {
        "DeleteResourcePolicy", "GetPolicy", "GetResourcePolicy", "PutResourcePolicy",
        "RemovePermission",
    }
)  # fmt: skip
"""Operations on the policy itself, by which an account takes back what it has denied itself."""

_OF_WHOLE_FUNCTIONS = frozenset(
    {
        "CreateAlias", "CreateFunction", "DeleteAlias", "GetAlias", "ListAliases",
        "ListFunctionEventInvokeConfigs", "ListFunctionUrlConfigs",
        "ListProvisionedConcurrencyConfigs", "ListVersionsByFunction", "UpdateAlias",
    }
)  # fmt: skip
"""Operations to which a qualifier says nothing: who may do all with one alias has no other."""


def access_of(services: Services, call: Call) -> tuple[Access, ...]:
    """Tell what a call would do; raises what Lambda raises for a name that is none."""
    operation, region, caller = call.operation, services.settings.region, call.caller
    if (name := call.parameters.get("FunctionName")) is not None:
        qualifier = call.query.get("Qualifier") if operation != "InvokeAsync" else None
        try:
            asked = _of_function(
                operation, name, caller.namespace, caller.account, region, qualifier
            )
        except ValidationError:
            if not call.input:  # an invocation's head, which nobody has held against the model
                check_head(load_model(), operation, call.parameters, call.query, call.headers)
            raise
        return _with_auth_type(call, asked) if operation in _AUTH_TYPES else asked
    if (text := _function(call)) is not None:
        try:
            return _of_function(operation, text, caller.namespace, caller.account, region, None)
        except ValidationError as error:  # by the rule of names alone, which is the service's own
            raise InvalidParameterValueError(error.message) from error
    action = _ACTIONS.get(operation, f"lambda:{operation}")
    if "EventSourceMapping" in operation:
        return _of_mapping(services, call, action)
    return (Access(action, _names(call, region)),)


def _function(call: Call) -> str | None:
    """Return how a call's input names the function that it is about, if it is about one."""
    if call.operation == "CreateFunction":
        return str(call.input["FunctionName"])
    arn = str(call.input.get("Resource") or unquote(call.input.get("ResourceArn") or ""))
    return arn if ":function:" in arn else None


@functools.lru_cache(maxsize=4096)
def _of_function(  # noqa: PLR0913, PLR0917  it is remembered by what is hashed at once
    operation: str, text: str, namespace: str, account: str, region: str, qualifier: str | None
) -> tuple[Access, ...]:
    reference = read_reference(text, namespace, account, region, qualifier)
    if operation in _OF_WHOLE_FUNCTIONS:
        reference = replace(reference, qualifier=None)
    action = _ACTIONS.get(operation, f"lambda:{operation}")
    names: tuple[str, ...] = (reference.arn,)
    if reference.qualifier == LATEST:  # the same function by a longer name
        names = (reference.arn, reference.unqualified_arn)
    return (
        Access(
            action, names, reference,
            is_shared=operation in _SHARED, is_of_policy=operation in _OF_POLICY,
            context={"lambda:invokedviafunctionurl": "false"} if action == INVOKE else {},
        ),
    )  # fmt: skip


def _with_auth_type(call: Call, asked: tuple[Access, ...]) -> tuple[Access, ...]:
    kind = call.input.get(_AUTH_TYPES[call.operation])
    return asked if kind is None else (replace(asked[0], context={AUTH_TYPE: kind}),)


def _of_mapping(services: Services, call: Call, action: str) -> tuple[Access, ...]:
    """Tell of a mapping: of its function as it is, and of the one that it would have."""
    uuid, region, caller = call.input.get("UUID"), services.settings.region, call.caller
    names = EVERYTHING if uuid is None else (_arn(call, region, f"event-source-mapping:{uuid}"),)
    functions = [
        function_arn(region, caller.account, *one.spec.function.partition(":")[::2])
        for one in services.cache.by(MAPPINGS_BY_UID, uuid)
        if uuid is not None and one.metadata.namespace == caller.namespace
    ]
    if call.input.get("FunctionName"):
        named = call.input["FunctionName"]
        functions.append(read_reference(named, caller.namespace, caller.account, region).arn)
    contexts: list[dict[str, str]] = [{"lambda:functionarn": one} for one in functions]
    return tuple(Access(action, names, context=context) for context in contexts or [{}])


def _names(call: Call, region: str) -> tuple[str, ...]:
    """Return the names of a resource that is no function: the one form that is acted on."""
    given = call.input
    if (named := parse_layer_version_arn(str(given.get("Arn", "")))) is not None:
        return (layer_version_arn(named.region, named.account, named.name, named.version),)
    for member in ("Arn", "CodeSigningConfigArn", "Resource", "ResourceArn"):
        if given.get(member):
            return (str(given[member]),)
    layer = given.get("LayerName")
    if layer is None:
        return EVERYTHING
    arn = layer if layer.startswith("arn:") else _arn(call, region, f"layer:{layer}")
    number = given.get("VersionNumber")
    return (arn if number is None else f"{arn}:{number}",)


def _arn(call: Call, region: str, resource: str) -> str:
    return f"arn:aws:lambda:{region}:{call.caller.account}:{resource}"
