"""With what a source is reached that is no service of AWS's: Secrets of the account, and its place.

Secrets are those that `SourceAccessConfigurations` name, and must be labelled for functions, as for
`environmentFrom`: whoever may write a mapping could else send any Secret of the namespace anywhere.
What tenants name is judged as `pilotlight.public_addresses` says; clients of brokers make their
sockets themselves, so here before they do.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pilotlight.errors import UnavailableError
from pilotlight.names import ENVIRONMENT_LABEL
from pilotlight.public_addresses import is_public
from pilotlight.resources import Key, Secret

from .source import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.settings import Settings

    from .source import PolledMapping

__all__ = ["Access", "judge", "read_access", "tls_context", "values_of"]

Access: TypeAlias = "Mapping[str, Mapping[str, str]]"
"""By type (BASIC_AUTH, VIRTUAL_HOST, …) the values of the Secret, or what is named itself."""
NAMED = {"VIRTUAL_HOST"}
"""Types whose URI is the value."""
RESOLVE_SECONDS = 5.0


async def read_access(polled: PolledMapping) -> Access:
    """Read what a mapping names; raises SourceError."""
    return {
        one.type: {"name": one.uri} if one.type in NAMED else await _values(polled, one.uri)
        for one in polled.mapping.spec.source_access_configurations
    }


async def _values(polled: PolledMapping, uri: str) -> Mapping[str, str]:
    """Read a Secret by its name; of an ARN of Secrets Manager's what stands last."""
    name, namespace = uri.rpartition(":")[2], polled.reference.namespace
    services = polled.services
    try:
        secret = await services.cache.find(Secret, Key(namespace, name))
    except UnavailableError as error:
        raise SourceError(f"Secret {name} cannot be read: {error}") from error
    if secret is None:
        raise SourceError(f"Secret {name} is not in namespace {namespace}", "AccessDenied")
    labelled = secret.metadata.labels.get(ENVIRONMENT_LABEL) == "true"
    if not labelled and not services.settings.unlabelled_secrets:
        raise SourceError(
            f"Secret {name} is none for functions: the label {ENVIRONMENT_LABEL}=true is expected",
            "AccessDenied",
        )
    return secret.string_data


def values_of(access: Mapping[str, str], name: str, *members: str) -> tuple[str, ...]:
    """Return members of a Secret; raises SourceError if one is missing."""
    missing = [member for member in members if not access.get(member)]
    if missing:
        raise SourceError(
            f"{name}: its Secret has no {' and no '.join(missing)}; "
            f"{', '.join(sorted(access)) or 'nothing'} came",
            "AccessDenied",
        )
    return tuple(access[member] for member in members)


async def judge(settings: Settings, host: str, port: int) -> None:
    """Refuse a place in private networks that the admin does not list; raises SourceError."""
    if settings.private_addresses or f"{host}:{port}" in settings.private_sources:
        return
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except (OSError, TimeoutError) as error:
        raise SourceError(f"{host}:{port} cannot be reached: {error}") from error
    for *_, address in found:
        if not is_public(str(address[0])):
            raise SourceError(
                f"{host}:{port} cannot be reached: {address[0]} is not on the public internet"
            )


def tls_context(access: Access) -> ssl.SSLContext:
    """Make a context with the authority and the client's certificate, if any; raises SourceError.

    The members of Secrets are Lambda's: `certificate`, `privateKey` and `privateKeyPassword`.
    """
    try:
        authority = access.get("SERVER_ROOT_CA_CERTIFICATE", {}).get("certificate")
        context = ssl.create_default_context(cadata=authority)
        if (client := access.get("CLIENT_CERTIFICATE_TLS_AUTH")) is not None:
            pair = values_of(client, "CLIENT_CERTIFICATE_TLS_AUTH", "certificate", "privateKey")
            with tempfile.TemporaryDirectory() as folder:  # `ssl` reads keys from files only
                file = Path(folder, "client.pem")
                file.touch(mode=0o600)
                file.write_text("\n".join(pair))
                context.load_cert_chain(file, password=client.get("privateKeyPassword", ""))
    except (ssl.SSLError, ValueError) as error:
        raise SourceError(f"certificates cannot be used: {error}", "AccessDenied") from error
    return context
