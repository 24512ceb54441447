"""Docker, and podman, which takes the same words: containers with a process space of their own.

A container's first process is the agent. When that ends, so does all that it started; and it ends
when its input does, which only the platform holds: nothing outlives that, however it ends.
"""

from __future__ import annotations

import json
import resource
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pilotlight.resources.image import split_reference

from .engine import CHECKING_SECONDS, USER, EngineError, LocalImage, ask, understood

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .engine import Container

__all__ = ["Docker", "Podman"]

LIMITS = (("nofile", resource.RLIMIT_NOFILE, 1_024), ("nproc", resource.RLIMIT_NPROC, 16_384))
"""Files are Lambda's quota, as the agent has it. Processes of one user, whatever container they are
in, are counted together: it is 1,024 for each of sixteen environments."""


class Docker:
    """A client with a daemon that answers."""

    name = "docker"

    async def check(self) -> None:
        """Ask for the daemon's version, which the client alone has not."""
        await ask(self.name, "version", "--format", "{{.Server.Version}}", seconds=CHECKING_SECONDS)

    async def find(self, reference: str) -> LocalImage | None:
        """Return an image that is here: by its name, or of one that lost that, by its digest."""
        _, _, digest = split_reference(reference)
        for called in filter(None, (reference, digest)):
            try:
                said = await ask(self.name, "image", "inspect", called)
            except EngineError:
                continue
            with understood(self.name):
                return _image(json.loads(said)[0], reference)
        return None

    async def pull(self, reference: str) -> None:
        """Fetch an image for this machine."""
        await ask(self.name, "pull", "--quiet", reference, seconds=None)

    async def prepare(self, container: Container) -> Sequence[str]:
        """Return how it is run; what is in it sees this machine's network, and its own files."""
        program, *arguments = container.command
        return [
            *(self.name, "run", "--rm", "--interactive", "--pull", "never"),
            *("--name", container.name, "--network", "host", "--log-driver", "none"),
            *("--read-only", "--user", USER, "--security-opt", "no-new-privileges"),
            # Where SELinux is, it lets containers read nothing of a person's folders.
            *("--security-opt", "label=disable", *self._limits()),
            *("--tmpfs", f"/tmp:rw,exec,mode=1777,size={container.storage}m"),  # noqa: S108  in it
            *_mounts(container),
            *(f"--env={name}={value}" for name, value in container.variables.items()),
            *("--entrypoint", program, container.image, *arguments),
        ]

    async def remove(self, name: str) -> None:
        """Kill and forget a container."""
        with suppress(EngineError):
            await ask(self.name, "rm", "--force", name)

    def _limits(self) -> Iterable[str]:
        """Return what the daemon is to limit; it may set whatever it likes."""
        return ()


class Podman(Docker):
    """Needs no daemon."""

    name = "podman"

    async def check(self) -> None:
        """Ask how it stands with it, its files included."""
        await ask(self.name, "info", "--format", "{{.Host.OS}}", seconds=CHECKING_SECONDS)

    def _limits(self) -> Iterable[str]:
        """Say both: what podman sets by itself, not everybody may have."""
        for name, kind, most in LIMITS:
            _, hard = resource.getrlimit(kind)
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            yield f"--ulimit={name}={allowed}:{allowed}"


def _mounts(container: Container) -> Iterator[str]:
    for source, target, read_only in container.mounts:
        way = ",readonly" if read_only else ""
        yield f"--mount=type=bind,source={source},target={target}{way}"


def _image(found: dict[str, Any], reference: str) -> LocalImage:
    """Read what `image inspect` says."""
    identity = f"sha256:{found['Id'].removeprefix('sha256:')}"
    name, _, _ = split_reference(reference)
    digests = [entry.partition("@")[::2] for entry in found.get("RepoDigests") or ()]
    # One image may have names in several registries, and each its own digest for it.
    digests.sort(key=lambda entry: not entry[0].endswith(name))
    digest = digests[0][1] if digests else found.get("Digest") or identity
    document = {"architecture": found["Architecture"], "config": found.get("Config")}
    return LocalImage(identity, digest, document)
