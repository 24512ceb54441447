"""Subscription filters: which function gets which lines of a group (`logs.subscriptions`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn, parse_function_reference
from pilotlight.resources import SubscriptionFilter, now
from pilotlight.resources.log_group import MOST_SUBSCRIPTIONS
from pilotlight_gateway.exchange import json_reply
from pilotlight_gateway.logs.filter_pattern import compile_filter

from .errors import InvalidParameterError, LimitExceededError, NotFoundError
from .finding import empty, find_group, page_of, refuse, write_spec

if TYPE_CHECKING:
    from pilotlight.resources import LogGroupSpec
    from pilotlight_gateway.exchange import Call, Reply
    from pilotlight_gateway.logs.groups import Group
    from pilotlight_gateway.services import Services

__all__ = [
    "delete_subscription_filter",
    "describe_subscription_filters",
    "put_subscription_filter",
]


async def put_subscription_filter(services: Services, call: Call) -> Reply:
    """Have a function get lines, or other lines than before."""
    refuse(call, "applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields")
    group, given = find_group(services, call), call.input
    if given.get("roleArn"):
        raise InvalidParameterError("destinationArn for vendor lambda cannot be used with roleArn")
    if given.get("distribution", "ByLogStream") != "ByLogStream":
        raise InvalidParameterError("distribution: ByLogStream is expected for functions.")
    compile_filter(given["filterPattern"])
    function = await _destination(services, call, group, given["destinationArn"])
    made = SubscriptionFilter(
        name=given["filterName"], pattern=given["filterPattern"], function=function, created=now()
    )

    def changed(spec: LogGroupSpec) -> LogGroupSpec:
        others = [one for one in spec.subscription_filters if one.name != made.name]
        if len(others) >= MOST_SUBSCRIPTIONS:
            raise LimitExceededError("Resource limit exceeded.")
        return spec.model_copy(update={"subscription_filters": [*others, made]})

    await write_spec(services, group, changed)
    return empty()


async def _destination(services: Services, call: Call, group: Group, arn: str) -> str:
    """Return the name of a destination; raises InvalidParameterError where it is none."""
    named = parse_function_reference(arn)
    own = (services.settings.region, call.caller.account)
    if named is None or (named.region, named.account) != own:
        raise InvalidParameterError(
            f"destinationArn: the ARN of a function of this account and region is expected, "
            f"{arn!r} came; other destinations are not supported."
        )
    function = await services.catalogue.find(call.caller.namespace, named.name)
    if function is None:
        raise InvalidParameterError(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
            "permission to execute your function."
        )
    if function.log_group == group.name:
        raise InvalidParameterError(
            f"{named.name} logs into {group.name} itself: what it logs would invoke it for ever."
        )
    return f"{named.name}:{named.qualifier}" if named.qualifier else named.name


async def describe_subscription_filters(services: Services, call: Call) -> Reply:
    """Return a group's filters by name."""
    group, prefix = find_group(services, call), call.input.get("filterNamePrefix", "")
    filters = {one.name: one for one in group.spec.subscription_filters}
    names = sorted(name for name in filters if name.startswith(prefix))
    page, token = page_of(names, call)
    described = [_described(services, call, group, filters[name]) for name in page]
    return json_reply({"subscriptionFilters": described} | token)


def _described(
    services: Services, call: Call, group: Group, one: SubscriptionFilter
) -> dict[str, Any]:
    name, _, qualifier = one.function.partition(":")
    created = datetime.fromisoformat(one.created).timestamp() if one.created else group.created
    return {
        "filterName": one.name,
        "logGroupName": group.name,
        "filterPattern": one.pattern,
        "destinationArn": function_arn(
            services.settings.region, call.caller.account, name, qualifier or None
        ),
        "distribution": "ByLogStream",
        "creationTime": int(created * 1000),
    }


async def delete_subscription_filter(services: Services, call: Call) -> Reply:
    """Deliver no more."""
    name = call.input["filterName"]

    def changed(spec: LogGroupSpec) -> LogGroupSpec:
        others = [one for one in spec.subscription_filters if one.name != name]
        if len(others) == len(spec.subscription_filters):
            raise NotFoundError("The specified subscription filter does not exist.")
        return spec.model_copy(update={"subscription_filters": others})

    await write_spec(services, find_group(services, call), changed)
    return empty()
