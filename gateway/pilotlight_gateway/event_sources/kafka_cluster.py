"""How brokers of Kafka are reached: with which keys, and what stands in the way.

aiokafka logs why it cannot connect and says nothing to its caller; `KafkaCluster.partitions` asks
over a connection of its own, so that a mapping can say whether it is the password.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from .source import SourceError
from .source_access import judge, read_access, tls_context, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .source import PolledMapping

__all__ = ["KafkaCluster", "source_error"]

REQUEST_MS = 10_000
_MECHANISMS = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}
_TLS = {"SERVER_ROOT_CA_CERTIFICATE", "CLIENT_CERTIFICATE_TLS_AUTH"}
_DENIED = (
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ssl.SSLError,
)


class KafkaCluster:
    """A mapping's brokers and the options of clients."""

    def __init__(
        self, polled: PolledMapping, servers: Sequence[str], options: dict[str, Any]
    ) -> None:
        self.servers = list(servers)
        self.options = options | {"bootstrap_servers": self.servers}
        self._connection_options = options
        self._settings = polled.services.settings

    @classmethod
    async def of(cls, polled: PolledMapping) -> KafkaCluster:
        """Read the mapping's credentials and judge where its brokers are; raises SourceError."""
        access = await read_access(polled)
        options: dict[str, Any] = {"request_timeout_ms": REQUEST_MS}
        tls = bool(_TLS & access.keys())
        for kind in _MECHANISMS.keys() & access.keys():
            user, password = values_of(access[kind], kind, "username", "password")
            options |= {
                "sasl_mechanism": _MECHANISMS[kind],
                "sasl_plain_username": user, "sasl_plain_password": password,
            }  # fmt: skip
        sasl = "SASL_" if "sasl_mechanism" in options else ""
        options["security_protocol"] = sasl + ("SSL" if tls else "PLAINTEXT")
        if tls:
            options["ssl_context"] = tls_context(access)
        cluster = cls(polled, await servers_of(polled), options)
        for host, port in map(_place, cluster.servers):
            await judge(cluster._settings, host, port)
        return cluster

    async def partitions(self, topic: str) -> int:
        """Ask how many partitions a topic has; raises SourceError with the reason of the first."""
        problem: SourceError | None = None
        for server in self.servers:
            try:
                return await self._ask(*_place(server), topic)
            except SourceError as error:
                problem = problem or error
        raise problem or SourceError("no brokers are named", "Invalid")

    async def _ask(self, host: str, port: int, topic: str) -> int:
        try:
            connection = await create_conn(host, port, **self._connection_options)
        except (KafkaError, OSError, TimeoutError) as error:
            raise source_error(error, f"{host}:{port}") from error
        try:
            answer = await connection.send(MetadataRequest([topic], False))  # noqa: FBT003  aiokafka's
        except (KafkaError, TimeoutError) as error:
            raise source_error(error, f"{host}:{port}") from error
        finally:
            connection.close()
        (found,) = answer.topics
        if found[0]:
            raise source_error(for_code(found[0])(), f"{host}:{port}", topic)
        return len(found[-1])

    def guard(self, client: Any) -> None:
        """Have a client judge the brokers' own addresses, too, before it connects to one."""
        connect = client._get_conn  # noqa: SLF001  aiokafka has no hook where it connects

        async def judged(node_id: int, **options: Any) -> Any:
            broker = client.cluster.broker_metadata(node_id)
            if broker is not None:
                try:
                    await judge(self._settings, broker.host, broker.port)
                except SourceError:
                    return None  # as where it cannot connect
            return await connect(node_id, **options)

        client._get_conn = judged  # noqa: SLF001  as above


async def servers_of(polled: PolledMapping) -> list[str]:
    """Return the brokers that a mapping names, of MSK its endpoint or the account's."""
    spec, services = polled.mapping.spec, polled.services
    if spec.self_managed_event_source is not None:
        return spec.self_managed_event_source.endpoints["KAFKA_BOOTSTRAP_SERVERS"]
    namespace = polled.reference.namespace
    named = await services.aws_credentials.endpoint("kafka", namespace, spec.endpoint)
    if named is None:
        raise SourceError(
            "no brokers are named: kafka://host:port,host:port is expected in spec.endpoint, or as "
            "AWS_ENDPOINT_URL_KAFKA in the account's Secret",
            "Invalid",
        )
    return named.removeprefix("kafka://").rstrip("/").split(",")


def source_error(error: BaseException, place: str, topic: str = "") -> SourceError:
    """Say what stands in the way of polling."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, UnknownTopicOrPartitionError):
        return SourceError(f"Topic {topic} does not exist on the cluster at {place}.", "NotFound")
    said = str(error) or type(error).__name__
    if isinstance(error, _DENIED):
        return SourceError(f"{place} refuses access: {said}", "AccessDenied")
    if isinstance(error, asyncio.TimeoutError):
        said = "no answer in time"
    return SourceError(f"{place} cannot be reached: {said}")


def _place(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not port.isdecimal():
        raise SourceError(f"{server!r} came, host:port of a broker is expected", "Invalid")
    return host.strip("[]"), int(port)
