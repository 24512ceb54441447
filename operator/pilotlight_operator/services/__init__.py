"""Services decide: what a resource's status should be, and what else must be written for it.

They know the cache and the artifact store, neither kopf nor Kubernetes, so local mode runs them
too. `Reconciler` calls them with a key; the store behind the cache does the writing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pilotlight.hosts import Hosts
from pilotlight.openid import read_keys

from .aliases import AliasService
from .functions import FunctionService
from .packages import Packages
from .routes import RouteService
from .versions import VersionService

if TYPE_CHECKING:
    from collections.abc import Collection

    from pilotlight.accounts import Accounts
    from pilotlight.aws.buckets import Buckets
    from pilotlight.cache import Cache
    from pilotlight.storage import ArtifactStore
    from pilotlight.walls import Walls
    from pilotlight_operator.reconciler import Service

    from .file_systems import FindsFileSystems
    from .functions import Acknowledgements
    from .images import FindsImages
    from .provisioning import Provisioning

__all__ = ["make_services"]


ANYBODYS = Hosts()
"""All hosts are."""


def make_services(  # noqa: PLR0913  their collaborators, each by name
    cache: Cache,
    artifacts: ArtifactStore,
    buckets: Buckets,
    *,
    acknowledgements: Acknowledgements,
    provisioning: Provisioning,
    accounts: Accounts,
    region: str,
    images: FindsImages | None = None,
    runnable: Collection[str] | None = None,
    waiting: Collection[str] | None = None,
    hosts: Hosts = ANYBODYS,
    private_addresses: bool = False,
    file_systems: FindsFileSystems | None = None,
    walls: Walls | None = None,
) -> list[Service]:
    """Make the service of every kind that is reconciled; a new kind is a line here.

    `runnable` are the runtimes that run here; without it those that have a `Runtime`. `waiting` are
    those of which pods wait, without it those whose `Runtime` says so.
    `hosts` says whose hosts are, `private_addresses` lets issuers be in private networks. Without
    `file_systems` claims are mounted; without `walls` no function has a network of its own.
    """
    return [
        FunctionService(
            cache, Packages(artifacts, buckets), acknowledgements,
            region=region, accounts=accounts, images=images, runnable=runnable,
            file_systems=file_systems, walls=walls,
        ),
        VersionService(cache, artifacts, provisioning, waiting),
        AliasService(cache, provisioning),
        RouteService(cache, partial(read_keys, private=private_addresses), hosts),
    ]  # fmt: skip
