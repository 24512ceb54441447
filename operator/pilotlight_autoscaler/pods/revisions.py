"""Knows what a revision runs: turns a claim's revision into a pod request and a specialisation.

Read from the resources, never from the claim: a gateway may be behind, and its word must not
start code that is no longer served. `capacity` asks here before it starts anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pilotlight.arn import function_arn
from pilotlight.compute import PodRequest
from pilotlight.errors import StartFailedError, UndecryptableError
from pilotlight.resources import LATEST, Configuration, Key, Secret
from pilotlight.revision import digest_environment
from pilotlight.tickets import ticket_for
from pilotlight.variable_encryption import variables_of
from pilotlight_wire.message import InvalidMessageError
from pilotlight_wire.protocol import Error
from pilotlight_wire.specialisation import (
    CodeSource,
    CredentialsSource,
    FunctionFacts,
    ImageProcess,
    Specialisation,
)

from .served import Runnable, Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.claims import RevisionKey
    from pilotlight.resources import Image
    from pilotlight_autoscaler.packages.compiled_packages import CompiledPackages

    from .granted_roles import GrantedRoles

    GiveCredentials = Callable[[str, str, str], dict[str, str]]

__all__ = ["Placement", "Revisions"]

ON_DEMAND = "on-demand"
PROVISIONED = "provisioned-concurrency"
"""AWS_LAMBDA_INITIALIZATION_TYPE (AWS Lambda Developer Guide, "environment variables")."""
MOST_SECRETS = 1000
"""Secrets that are remembered; a digest says which values are meant."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What a revision needs: a pod that can run it, and what makes the pod its own."""

    pod: PodRequest
    specialisation: Specialisation
    places: int = 1
    """How many leases the pod has: calls of one environment, or environments."""

    def is_shared(self, *, provisioned: bool) -> bool:
        """Whether others may be in the pod; of environments that are provisioned, each is alone."""
        takes_several = self.specialisation.function.calls_per_environment > 1
        return self.places > 1 and (takes_several or not provisioned)


@dataclass(slots=True)
class Revisions:
    """Looks revisions up in the cache."""

    cache: Cache
    accounts: Accounts
    platform_key: bytes
    region: str
    artifact_url: str
    """Where agents fetch packages, `{sha256}` standing for the address."""
    environment: dict[str, str]
    """Variables that every function gets, such as AWS_ENDPOINT_URL."""
    packages: CompiledPackages
    credentials: GiveCredentials
    environments_per_pod: int = 1
    """How many share a pod at least."""
    roles: GrantedRoles | None = None

    served: Served = field(init=False)
    _account_ids: dict[str, str] = field(default_factory=dict, init=False)
    _secrets: dict[tuple[Key, str], dict[str, str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.served = Served(self.cache, self.packages.want)

    async def place(self, revision: RevisionKey, *, provisioned: bool = False) -> Placement:
        """Say what the revision needs; raises RevisionGoneError where it is not served any more.

        Raises StartFailedError where no agent would take it.
        """
        runnable = await self.served.find(revision.of_all_tenants)
        _check_tenant(revision, runnable.configuration)
        try:
            specialisation = await self._specialisation(revision, runnable, provisioned=provisioned)
        except InvalidMessageError as error:  # of the account's own values, such as a Secret's
            raise StartFailedError(str(error), reason=Error.INVALID_REQUEST.code) from error
        return Placement(
            _pod_request(revision, runnable),
            specialisation,
            self._places(runnable.configuration),
        )

    def _places(self, configuration: Configuration) -> int:
        if configuration.calls_per_environment > 1:
            return configuration.calls_per_environment
        return max(configuration.environments_per_pod, self.environments_per_pod)

    async def _specialisation(
        self, revision: RevisionKey, runnable: Runnable, *, provisioned: bool
    ) -> Specialisation:
        account = await self._account(revision.namespace)
        configuration = runnable.configuration
        image = configuration.image
        return Specialisation(
            revision=revision.revision,
            object_name=revision.function,
            function=replace(
                self._facts(runnable, account, provisioned=provisioned),
                tenant_id=revision.tenant or None,
            ),
            environment=self.environment | await self._variables(revision, configuration),
            credentials=self.credentials(revision.namespace, account, runnable.function_name),
            role=await self._role(revision.namespace, account, runnable),
            code=None if image else self._source(self.packages.of(configuration)),
            image=_process(image) if image else None,
            layers=[self._source(layer.sha256) for layer in configuration.layers],
        )

    async def _role(
        self, namespace: str, account: str, runnable: Runnable
    ) -> CredentialsSource | None:
        if self.roles is None:
            return None
        name, role = runnable.function_name, runnable.configuration.role
        return await self.roles.source(
            namespace=namespace, account=account, function=name, role=role
        )

    def _source(self, sha256: str) -> CodeSource:
        return CodeSource(
            sha256=sha256,
            url=self.artifact_url.format(sha256=sha256),
            ticket=ticket_for(self.platform_key, sha256),
        )

    async def _account(self, namespace: str) -> str:
        """Return a namespace's account id, which stays what it once was."""
        if namespace not in self._account_ids:
            self._account_ids[namespace] = await self.accounts.account(namespace)
        return self._account_ids[namespace]

    def _facts(self, runnable: Runnable, account: str, *, provisioned: bool) -> FunctionFacts:
        name, configuration = runnable.function_name, runnable.configuration
        logging = configuration.logging
        qualifier = None if runnable.version == LATEST else runnable.version
        return FunctionFacts(
            name=name,
            version=runnable.version,
            arn=function_arn(self.region, account, name, qualifier),
            account=account,
            region=self.region,
            runtime=configuration.runtime,
            handler=configuration.handler,
            memory=configuration.memory,
            timeout=configuration.timeout,
            ephemeral_storage=configuration.ephemeral_storage,
            log_group=logging.group or f"/aws/lambda/{name}",
            log_format=logging.format,
            application_log_level=logging.application_level,
            system_log_level=logging.system_level,
            initialization_type=PROVISIONED if provisioned else ON_DEMAND,
            calls_per_environment=configuration.calls_per_environment,
        )

    async def _variables(
        self, revision: RevisionKey, configuration: Configuration
    ) -> dict[str, str]:
        name, digest = configuration.environment_secret, configuration.environment_digest
        if name is None:
            return configuration.environment
        held = (Key(revision.namespace, name), digest or "")
        if held not in self._secrets:
            secret = await self.cache.resources.get(Secret, held[0])
            values = self._decrypted(revision, secret)
            if len(self._secrets) >= MOST_SECRETS:
                self._secrets.clear()
            if digest_environment(secret.string_data) != digest:
                return values | configuration.environment
            self._secrets[held] = values
        return self._secrets[held] | configuration.environment

    def _decrypted(self, revision: RevisionKey, secret: Secret) -> dict[str, str]:
        function = Key(revision.namespace, revision.function)
        try:
            return variables_of(self.platform_key, function, secret)
        except UndecryptableError as error:
            raise StartFailedError(str(error), reason="KMSKeyAccessDenied") from error


def _check_tenant(revision: RevisionKey, configuration: Configuration) -> None:
    """Raise StartFailedError where an environment would be more than one tenant's, or be nobody's.

    Gateways ask for the right one; one that is a version behind may not know of tenants.
    """
    if bool(configuration.tenant_isolation_mode) != bool(revision.tenant):
        expected = "a tenant" if configuration.tenant_isolation_mode else "no tenant"
        raise StartFailedError(f"{revision} was claimed: {expected} is expected", reason="Tenancy")


def _process(image: Image) -> ImageProcess:
    return ImageProcess(
        entry_point=image.entry_point,
        command=image.command,
        working_directory=image.config.working_directory or "",
        environment=image.pinned.loader_variables if image.pinned else {},
    )


def _pod_request(revision: RevisionKey, runnable: Runnable) -> PodRequest:
    configuration = runnable.configuration
    return PodRequest(
        namespace=revision.namespace,
        revision=revision,
        function_uid=runnable.function_uid,
        runtime=configuration.runtime,
        image=configuration.image.reference if configuration.image else "",
        memory=configuration.memory * configuration.environments_per_pod,
        ephemeral_storage=configuration.ephemeral_storage,
        file_systems=tuple(configuration.file_systems),
        secret_files=tuple(configuration.secret_files),
        network=configuration.network,
    )
