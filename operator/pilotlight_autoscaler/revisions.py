"""Knows what a revision runs: turns a claim's revision into a pod request and a specialisation.

Read from the resources, never from the claim: a gateway may be behind, and its word must not
start code that is no longer served. `capacity` asks here before it starts anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.agent_protocol import CodeSource, FunctionFacts, Specialisation
from pilotlight.arn import function_arn
from pilotlight.compute import PodRequest
from pilotlight.errors import NotFoundError, RevisionGoneError
from pilotlight.resources import Configuration, Function, Key, Secret
from pilotlight.tickets import ticket_for

if TYPE_CHECKING:
    from pilotlight.accounts import Accounts
    from pilotlight.claims import RevisionKey
    from pilotlight.storage import ResourceStore

__all__ = ["Placement", "Revisions"]

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class Placement:
    """What a revision needs: a pod that can run it, and what makes the pod its own."""

    pod: PodRequest
    specialisation: Specialisation


@dataclass(slots=True)
class Revisions:
    """Looks revisions up in the resources."""

    resources: ResourceStore
    accounts: Accounts
    platform_key: bytes
    region: str
    artifact_url: str
    """Where agents fetch packages, `{sha256}` standing for the address."""
    environment: dict[str, str]
    """Variables that every function gets, such as AWS_ENDPOINT_URL."""

    async def place(self, revision: RevisionKey) -> Placement:
        """Say what the revision needs; raises RevisionGoneError where it is not served any more."""
        function = await self._serving(revision)
        configuration = function.status.configuration
        if configuration is None or function.status.revision != revision.revision:
            raise RevisionGoneError(
                f"{revision.namespace}/{revision.function} serves revision "
                f"{function.status.revision}, {revision.revision} was claimed"
            )
        return Placement(
            _pod_request(revision, function, configuration),
            await self._specialisation(revision, function, configuration),
        )

    async def _serving(self, revision: RevisionKey) -> Function:
        try:
            return await self.resources.get(Function, Key(revision.namespace, revision.function))
        except NotFoundError as error:
            raise RevisionGoneError(f"{revision} was claimed, the function is gone") from error

    async def _specialisation(
        self, revision: RevisionKey, function: Function, configuration: Configuration
    ) -> Specialisation:
        account = await self.accounts.account(revision.namespace)
        sha256 = configuration.code_sha256
        return Specialisation(
            revision=revision.revision,
            function=self._facts(function, configuration, account),
            environment=self.environment | await self._variables(revision, configuration),
            code=CodeSource(
                sha256=sha256,
                url=self.artifact_url.format(sha256=sha256),
                ticket=ticket_for(self.platform_key, sha256),
            ),
        )

    def _facts(
        self, function: Function, configuration: Configuration, account: str
    ) -> FunctionFacts:
        name = function.function_name
        logging = configuration.logging
        return FunctionFacts(
            name=name,
            version=LATEST,
            arn=function_arn(self.region, account, name),
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
        )

    async def _variables(
        self, revision: RevisionKey, configuration: Configuration
    ) -> dict[str, str]:
        if configuration.environment_secret is None:
            return configuration.environment
        key = Key(revision.namespace, configuration.environment_secret)
        secret = await self.resources.get(Secret, key)
        return secret.string_data | configuration.environment


def _pod_request(
    revision: RevisionKey, function: Function, configuration: Configuration
) -> PodRequest:
    return PodRequest(
        namespace=revision.namespace,
        revision=revision,
        function_uid=function.metadata.uid,
        runtime=configuration.runtime,
        memory=configuration.memory,
        ephemeral_storage=configuration.ephemeral_storage,
    )
