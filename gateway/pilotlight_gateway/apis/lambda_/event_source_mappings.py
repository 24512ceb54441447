"""Create-, Get-, List-, Update- and DeleteEventSourceMapping(s).

They write and read `EventSourceMapping` resources, whose members are Lambda's own; gateways poll
those (`pilotlight_gateway.event_sources`). A mapping's UUID is its uid. Texts: lambda.md 1.5, and
what Lambda is known to answer.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn
from pilotlight.errors import (
    AlreadyExistsError,
    NotFoundError,
)
from pilotlight.names import object_name
from pilotlight.resources import (
    MAPPINGS_BY_SOURCE,
    MAPPINGS_BY_UID,
    EventSourceMapping,
    EventSourceMappingSpec,
    ObjectMeta,
    now,
    source_kind,
)
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    NotSupportedError,
    ResourceConflictError,
)
from pilotlight_gateway.event_sources import make_source
from pilotlight_gateway.event_sources.source import SourceError
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import resolve

from .inputs import parse_as
from .paging import paged
from .preconditions import refuse_tenants
from .writing import write_changed

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.services import Services

__all__ = [
    "UNSUPPORTED_OF_KAFKA",
    "UNSUPPORTED_OF_MAPPINGS",
    "create_event_source_mapping",
    "delete_event_source_mapping",
    "find_mapping",
    "get_event_source_mapping",
    "list_event_source_mappings",
    "update_event_source_mapping",
]

MODIFIED = "pilotlight.dev/mapping-modified"
"""Annotation: when the API changed the mapping."""
PAGE = 100
_LONGEST_WORDS = 48
_OWN = ("Function", "Endpoint", "Enabled", "Tags")
_OMITTED_IF_EMPTY = ("Topics", "Queues", "SourceAccessConfigurations")
UNSUPPORTED_OF_MAPPINGS = (
    "DocumentDBEventSourceConfig",
    "KMSKeyArn",
    "LoggingConfig",
    "ProvisionedPollerConfig",
)
"""Members of requests that are refused."""
UNSUPPORTED_OF_KAFKA = ("ConsumptionMode Queue", "SchemaRegistryConfig")
"""Of its configuration; a word behind a member is the value that is refused."""
_KAFKA_CONFIGS = ("SelfManagedKafkaEventSourceConfig", "AmazonManagedKafkaEventSourceConfig")
_NOT_SPEC = {"FunctionName", "UUID", "StartingPositionTimestamp", *UNSUPPORTED_OF_MAPPINGS}
_CLEARED_BY_EMPTY = ("scalingConfig", "filterCriteria", "destinationConfig", "metricsConfig")


async def create_event_source_mapping(services: Services, call: Call) -> Reply:
    """Make a mapping of a source that can be polled."""
    reference = await _function(services, call)
    spec = parse_as(EventSourceMappingSpec, _given(call.input) | {"function": _named(reference)})
    mapping = EventSourceMapping(metadata=ObjectMeta(namespace=call.namespace), spec=spec)
    mapping.metadata.name = _object_name(mapping)
    _check(services, mapping)
    await _ask_source(services, call, mapping)
    try:
        mapping = await services.resources.create(mapping)
    except AlreadyExistsError as error:
        others = services.cache.by(MAPPINGS_BY_SOURCE, mapping.pair)
        raise _conflict(mapping, others[0].metadata.uid if others else "") from error
    return json_reply(_document(services, call, mapping), 202)


async def get_event_source_mapping(services: Services, call: Call) -> Reply:
    """Return a mapping."""
    return json_reply(_document(services, call, await _find(services, call)))


async def list_event_source_mappings(services: Services, call: Call) -> Reply:
    """Return mappings by UUID, of one source or function if it is named, at most 100 a page."""
    given = call.input
    source, function = given.get("EventSourceArn"), given.get("FunctionName")
    wanted = _named(_resolve(services, call, function)) if function else None
    found = {
        one.metadata.uid: one
        for one in services.cache.all(EventSourceMapping, call.namespace)
        if source in {None, one.spec.event_source_arn} and wanted in {None, one.spec.function}
    }
    page, marker = paged(sorted(found), given, most=PAGE, of=call.operation)
    documents = [_document(services, call, found[uid]) for uid in page]
    return json_reply({"EventSourceMappings": documents} | marker)


async def update_event_source_mapping(services: Services, call: Call) -> Reply:
    """Change what is named of a mapping, each member as a whole."""
    mapping = await _find(services, call)
    given = _given(call.input)
    if call.input.get("FunctionName") is not None:
        given["function"] = _named(await _function(services, call))

    def change(now_there: EventSourceMapping) -> EventSourceMapping:
        changed = _changed(now_there, given)
        _check(services, changed)
        return changed

    changed = change(mapping)
    if changed.spec.enabled:
        await _ask_source(services, call, changed)
    changed = await write_changed(services.resources, mapping, change)
    return json_reply(_document(services, call, changed), 202)


def _changed(mapping: EventSourceMapping, given: dict[str, Any]) -> EventSourceMapping:
    spec = parse_as(EventSourceMappingSpec, mapping.spec.to_json() | given)
    annotations = mapping.metadata.annotations | {MODIFIED: now()}
    metadata = mapping.metadata.model_copy(update={"annotations": annotations})
    return mapping.model_copy(update={"spec": spec, "metadata": metadata})


async def delete_event_source_mapping(services: Services, call: Call) -> Reply:
    """Delete a mapping; batches that run end first."""
    mapping = await _find(services, call)
    try:
        await services.resources.delete(EventSourceMapping, mapping.key)
    except NotFoundError as error:
        raise _not_there() from error
    return json_reply(_document(services, call, mapping) | {"State": "Deleting"}, 202)


async def _find(services: Services, call: Call) -> EventSourceMapping:
    return await find_mapping(services, call, str(call.input["UUID"]))


async def find_mapping(services: Services, call: Call, uuid: str) -> EventSourceMapping:
    """Read a mapping of the caller's from the store; raises ResourceNotFoundException."""
    for one in services.cache.by(MAPPINGS_BY_UID, uuid):
        if one.metadata.namespace == call.namespace:
            try:
                return await services.resources.get(EventSourceMapping, one.key)
            except NotFoundError as error:
                raise _not_there() from error
    raise _not_there()


def _not_there() -> FunctionNotFoundError:
    return FunctionNotFoundError("The resource you requested does not exist.")


def _resolve(services: Services, call: Call, text: str) -> Reference:
    return resolve(text, call.caller, services.settings.region, call.operation)


async def _function(services: Services, call: Call) -> Reference:
    """Return the function that a request names; raises ResourceNotFoundException."""
    reference = _resolve(services, call, call.input["FunctionName"])
    target = await services.targets.find(reference)
    refuse_tenants(target.function, "An event source mapping")
    return reference


def _named(reference: Reference) -> str:
    """Name a function as a mapping does."""
    return f"{reference.name}:{reference.qualifier}" if reference.qualifier else reference.name


def _object_name(mapping: EventSourceMapping) -> str:
    """Name the object of a source and a function, always the same: so there is only one."""
    words = f"{mapping.spec.function}-{re.split('[:/]', mapping.source)[-1]}"
    digest = hashlib.sha256("\0".join(mapping.pair).encode()).hexdigest()[:8]
    return f"{object_name(words)[:_LONGEST_WORDS].strip('-')}-{digest}"


def _given(given: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a spec that a request says, named as a manifest names them."""
    for name in UNSUPPORTED_OF_MAPPINGS:
        if given.get(name) not in (None, "", {}):
            raise NotSupportedError(f"{name} is not supported yet.")
    given = given | {name: _kafka(name, given[name]) for name in _KAFKA_CONFIGS if given.get(name)}
    spec = {
        _member(name): value if name == "Tags" else _camel(value)
        for name, value in given.items()
        if name not in _NOT_SPEC and value is not None
    }
    if (moment := given.get("StartingPositionTimestamp")) is not None:
        spec["startingPositionTimestamp"] = _time(moment)
    emptied = {
        name: None for name in _CLEARED_BY_EMPTY if name in spec and not any(spec[name].values())
    }
    return spec | emptied


def _kafka(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return Kafka's configuration without what is as it is where nothing is said."""
    for text in UNSUPPORTED_OF_KAFKA:
        member, _, value = text.partition(" ")
        if config.get(member) and (not value or value == config[member]):
            raise NotSupportedError(f"{name}.{text} is not supported yet.")
    return {member: one for member, one in config.items() if member != "ConsumptionMode"}


def _camel(value: Any) -> Any:
    """Name members as a manifest does."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if isinstance(value, dict):
        return {_member(name): _camel(one) for name, one in value.items()}
    return value


def _member(name: str) -> str:
    """Name a member as a manifest does; keys of a map, such as KAFKA_BOOTSTRAP_SERVERS, stay."""
    if name == "URI":
        return "uri"
    return name if name.isupper() else name[:1].lower() + name[1:]


def _time(moment: float | str) -> str:
    if isinstance(moment, str):
        return moment
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidParameterValueError(
            f"StartingPositionTimestamp: {moment} is no time"
        ) from error


def _check(services: Services, mapping: EventSourceMapping) -> None:
    """Refuse what the kind of source does not allow, and a second mapping of a pair."""
    if (problem := mapping.problem()) is not None:
        raise InvalidParameterValueError(problem)
    for other in services.cache.by(MAPPINGS_BY_SOURCE, mapping.pair):
        if other.key != mapping.key or not mapping.metadata.uid:
            raise _conflict(mapping, other.metadata.uid)


def _conflict(mapping: EventSourceMapping, uid: str) -> ResourceConflictError:
    return ResourceConflictError(
        f'The event source arn (" {mapping.source} ") and function (" {mapping.spec.function} ") '
        f"provided mapping already exists. Please update or delete the existing mapping with "
        f"UUID {uid}"
    )


async def _ask_source(services: Services, call: Call, mapping: EventSourceMapping) -> None:
    """Refuse a source that cannot be polled; raises InvalidParameterValueException."""
    source = make_source(services, call.account, mapping)
    try:
        await source.check()
    except SourceError as error:
        raise InvalidParameterValueError(str(error)) from error


def _document(services: Services, call: Call, mapping: EventSourceMapping) -> dict[str, Any]:
    spec, status, kind = mapping.spec, mapping.status, source_kind(mapping.spec)
    region, account, uid = services.settings.region, call.account, mapping.metadata.uid
    name, _, qualifier = spec.function.partition(":")
    members = {
        name: value
        for name, value in _pascal(spec.to_json()).items()
        if name not in _OWN and (value or name not in _OMITTED_IF_EMPTY)
    }
    if kind is not None:
        members.setdefault("BatchSize", kind.batch_size)
        members.setdefault("MaximumBatchingWindowInSeconds", int(kind.window))
    if spec.starting_position_timestamp:
        members["StartingPositionTimestamp"] = _seconds(spec.starting_position_timestamp)
    modified = mapping.metadata.annotations.get(MODIFIED) or mapping.metadata.creation_timestamp
    return members | {
        "UUID": uid,
        "EventSourceMappingArn": f"arn:aws:lambda:{region}:{account}:event-source-mapping:{uid}",
        "FunctionArn": function_arn(region, account, name, qualifier or None),
        "LastModified": _seconds(modified or now()),
        "LastProcessingResult": status.last_processing_result or "No records processed",
        "State": _state(mapping),
        "StateTransitionReason": status.state_transition_reason or "USER_INITIATED",
    }


def _state(mapping: EventSourceMapping) -> str:
    """Say Lambda's state: what gateways have not seen yet is on its way."""
    status = mapping.status
    if status.observed_generation == mapping.metadata.generation:
        return status.state
    wanted = "Enabled" if mapping.spec.enabled else "Disabled"
    if not status.state:
        return "Creating"
    if status.state == wanted:
        return "Updating"
    return "Enabling" if mapping.spec.enabled else "Disabling"


def _pascal(value: Any) -> Any:
    if isinstance(value, list):
        return [_pascal(one) for one in value]
    if isinstance(value, dict):
        return {_pascal_member(name): _pascal(one) for name, one in value.items()}
    return value


def _pascal_member(name: str) -> str:
    return "URI" if name == "uri" else name[:1].upper() + name[1:]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
