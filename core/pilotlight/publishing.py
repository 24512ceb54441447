"""Publishing: freezes what `$LATEST` runs as a version with a number that is never given again.

The Lambda API publishes (`pilotlight_gateway.apis.lambda_.versions`), and the operator does where a
function says `publish: OnChange`. AWS Lambda Developer Guide, "Lambda function versions".
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .claims import RevisionKey
from .errors import AlreadyExistsError, ConflictError, NotFoundError
from .names import FUNCTION_LABEL, LAST_VERSION_ANNOTATION, label_value, version_object_name
from .resources import (
    PUBLISHED,
    VERSIONS_BY_FUNCTION,
    Configuration,
    Function,
    FunctionVersion,
    FunctionVersionSpec,
    Key,
    ObjectMeta,
    Secret,
    owned_by,
)
from .revision import revision_of_version
from .variable_encryption import encryption_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cache import Cache
    from .resources import FunctionAlias
    from .storage import ResourceStore

__all__ = [
    "environment_secret_name",
    "meant_version",
    "publish",
    "version_revision",
    "versions_of",
]

TRIES = 10


def versions_of(cache: Cache, function: Key) -> list[FunctionVersion]:
    """Return a function's versions, oldest first."""
    return sorted(cache.by(VERSIONS_BY_FUNCTION, function), key=lambda one: one.spec.version)


def version_revision(version: FunctionVersion) -> RevisionKey:
    """Return the revision that a version is."""
    return RevisionKey(*version.function, version.spec.revision)


def meant_version(
    alias: FunctionAlias, versions: Sequence[FunctionVersion]
) -> FunctionVersion | None:
    """Return which of a function's versions, in any order, an alias means."""
    if alias.spec.version == PUBLISHED:
        return max(versions, key=lambda one: one.spec.version, default=None)
    return next((one for one in versions if one.number == alias.spec.version), None)


async def publish(
    cache: Cache, function: Function, *, description: str | None = None
) -> FunctionVersion:
    """Make a version of what the function serves, or return the last one if nothing changed.

    The function must serve something (`status.configuration`). Raises ConflictError where others
    publish or write the function all the time.
    """
    configuration = function.status.configuration
    if configuration is None:
        raise ConflictError(f"{function.key} serves nothing that could be published")
    known = next(reversed(versions_of(cache, function.key)), None)
    is_last = known is not None and known.spec.version >= _last_number(function)
    if known is not None and is_last and _is_same(known, configuration, description):
        return known  # nothing is read where nothing changed: every reconcile asks
    last = await _last_version(cache, function.key)
    if last is not None and _is_same(last, configuration, description):
        return last
    configuration = await _freeze_environment(cache.resources, function, configuration)
    highest = last.spec.version if last else 0
    for _ in range(TRIES):
        number = await _next_number(cache.resources, function.key, highest)
        with suppress(AlreadyExistsError):
            version = _version(function, configuration, number, description)
            return await cache.resources.create(version)
        highest = number
    raise ConflictError(f"{function.key} is being published by others; try again")


def environment_secret_name(function: str, digest: str) -> str:
    """Name the Secret that holds variables of that digest for a function's object."""
    return f"{function}-environment-{digest[:8]}"


def _is_same(
    version: FunctionVersion, configuration: Configuration, description: str | None
) -> bool:
    spec = version.spec
    secret = {"environment_secret": spec.configuration.environment_secret}
    return spec.configuration == configuration.model_copy(update=secret) and (
        description in {None, spec.description}
    )


async def _freeze_environment(
    resources: ResourceStore, function: Function, configuration: Configuration
) -> Configuration:
    """Keep variables of a Secret that users may change in one that stays."""
    held, digest = configuration.environment_secret, configuration.environment_digest
    if held is None or digest is None:
        return configuration
    name = environment_secret_name(function.metadata.name, digest)
    if name != held:
        namespace = function.metadata.namespace
        secret = await resources.get(Secret, Key(namespace, held))
        labels = {FUNCTION_LABEL: label_value(function.metadata.name)}
        metadata = ObjectMeta(
            name=name, namespace=namespace, labels=labels, annotations=encryption_of(secret)
        )
        with suppress(AlreadyExistsError):  # the same values, by their digest
            await resources.create(
                Secret(metadata=owned_by(metadata, function), string_data=secret.string_data)
            )
    return configuration.model_copy(update={"environment_secret": name})


async def _last_version(cache: Cache, key: Key) -> FunctionVersion | None:
    """Return the newest version; one that others have just made may be known only to the store."""
    function = await cache.resources.get(Function, key)
    if number := _last_number(function):
        name = version_object_name(key.name, number)
        with suppress(NotFoundError):
            return await cache.resources.get(FunctionVersion, Key(key.namespace, name))
    return next(reversed(versions_of(cache, key)), None)


async def _next_number(resources: ResourceStore, key: Key, highest: int) -> int:
    """Take the next number, and note on the function that it was given."""
    for _ in range(TRIES):
        function = await resources.get(Function, key)
        number = max(highest, _last_number(function)) + 1
        annotations = function.metadata.annotations | {LAST_VERSION_ANNOTATION: str(number)}
        metadata = function.metadata.model_copy(update={"annotations": annotations})
        with suppress(ConflictError):
            await resources.replace(function.model_copy(update={"metadata": metadata}))
            return number
    raise ConflictError(f"{key} is being changed by others; try again")


def _last_number(function: Function) -> int:
    noted = function.metadata.annotations.get(LAST_VERSION_ANNOTATION, "0")
    return int(noted) if noted.isdecimal() else 0


def _version(
    function: Function, configuration: Configuration, number: int, description: str | None
) -> FunctionVersion:
    name = function.metadata.name
    metadata = ObjectMeta(
        name=version_object_name(name, number),
        namespace=function.metadata.namespace,
        labels={FUNCTION_LABEL: label_value(name)},
    )
    return FunctionVersion(
        metadata=owned_by(metadata, function),
        spec=FunctionVersionSpec(
            function=name,
            function_name=function.function_name,
            version=number,
            description=function.spec.description if description is None else description,
            configuration=configuration,
            code_size=function.status.code_size or 0,
            architecture=function.spec.architecture,
            revision=revision_of_version(configuration, number),
        ),
    )
