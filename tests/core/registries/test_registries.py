"""What a registry says of an image, and how it is asked."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest

from pilotlight.registries import ImageDescription, Reference, Registries, RegistryError
from pilotlight.registries.keys import find_keys
from tests.support.registry import ImageRegistry, serving

KEYS = "Basic " + b64encode(b"user:secret").decode()
CONFIG: dict[str, Any] = {
    "Entrypoint": ["/entry"],
    "Cmd": ["app.handler"],
    "Env": ["A=b=c", "EMPTY="],
}


async def described(
    registry: ImageRegistry, version: str = "1", keys: str | None = None
) -> ImageDescription:
    """Ask a registry of this machine."""
    async with serving(registry) as host:
        reference = Reference.parse(f"{host}/team/hello:{version}")
        return await Registries([f"http://{host}"]).describe(reference, "x86_64", keys)


@pytest.mark.parametrize(
    ("uri", "host", "repository", "version"),
    [
        ("hello", "registry-1.docker.io", "library/hello", "latest"),
        ("team/hello:1", "registry-1.docker.io", "team/hello", "1"),
        ("docker.io/hello", "registry-1.docker.io", "library/hello", "latest"),
        ("registry:5000/hello", "registry:5000", "hello", "latest"),
        ("localhost/a/b:1", "localhost", "a/b", "1"),
        ("ghcr.io/a/b:1@sha256:ab", "ghcr.io", "a/b", "sha256:ab"),
    ],
)
def test_a_reference_is_read_as_containers_tools_do(
    uri: str, host: str, repository: str, version: str
) -> None:
    found = Reference.parse(uri)
    assert (found.host, found.repository, found.version) == (host, repository, version)


async def test_an_image_says_how_it_is_started() -> None:
    registry = ImageRegistry()
    digest = registry.push("1", **CONFIG)
    environment = {"A": "b=c", "EMPTY": ""}
    assert await described(registry) == ImageDescription(
        digest, ["/entry"], ["app.handler"], environment
    )


async def test_of_several_platforms_the_functions_counts() -> None:
    """The digest is that of all, which pods of every platform can be made of."""
    registry = ImageRegistry()
    images = {name: registry.push("", name, Cmd=[name]) for name in ("arm64", "amd64")}
    digest = registry.push_index("1", **images)
    found = await described(registry)
    assert (found.digest, found.command) == (digest, ["amd64"])


async def test_keys_become_a_token() -> None:
    registry = ImageRegistry(KEYS)
    digest = registry.push("1", **CONFIG)
    assert (await described(registry, keys=KEYS)).digest == digest
    assert registry.asked.count("/token") == 1


@pytest.mark.parametrize(
    ("version", "code", "says"),
    [
        ("none", "InvalidImage", "does not exist. Provide a valid source image."),
        ("arm", "InvalidImage", "it is for arm64, and the function's architecture amd64"),
        ("index", "InvalidImage", "it is not for linux/amd64"),
        ("odd", "InvalidImage", "its manifest names no configuration"),
        ("list", "InvalidImage", "no JSON object"),
        ("lost", "InvalidImage", "does not exist"),
        ("texts", "InvalidImage", "Entrypoint of its configuration is no list of texts"),
        ("index-of-texts", "InvalidImage", "it is not for linux/amd64"),
        ("config-of-text", "InvalidImage", "its manifest names no configuration"),
        ("own-config-of-text", "InvalidImage", "config of its configuration is no object"),
        ("huge", "InvalidImage", "more than 1500 parts or 65536 bytes"),
        ("nul", "InvalidImage", "holds a NUL"),
        (f"x@sha256:{'0' * 64}", "InvalidImage", f"its manifest is not sha256:{'0' * 64}"),
    ],
)
async def test_what_cannot_run_is_said(version: str, code: str, says: str) -> None:
    registry = ImageRegistry()
    registry.push_index("index", arm64=registry.push("arm", "arm64"))
    registry.put("odd", {})
    registry.put("list", [])
    registry.put("lost", {"config": {"digest": "sha256:0"}})
    registry.push("texts", Entrypoint="/entry")
    registry.push("huge", Cmd=["x" * 70_000])
    registry.push("nul", Env=["A=b\0"])
    registry.put("index-of-texts", {"manifests": ["x"]})
    registry.put("config-of-text", {"config": "x"})
    own = registry.put("", {"architecture": "amd64", "config": "x"}, kind="blobs")
    registry.put("own-config-of-text", {"config": {"digest": own}})
    registry.documents["manifests", f"sha256:{'0' * 64}"] = b"{}"
    with pytest.raises(RegistryError) as error:
        await described(registry, version)
    assert error.value.state_code == code
    assert says in str(error.value)


async def test_a_registry_may_refuse() -> None:
    with pytest.raises(
        RegistryError, match=r"does not let image .* be read \(status 401\)"
    ) as error:
        await described(ImageRegistry(KEYS), keys="Basic wrong")
    assert error.value.state_code == "ImageAccessDenied"


@pytest.mark.parametrize("token", [b"x" * 100_000, b"[]", b'{"token": 1}', b"[" * 10_000])
async def test_a_registrys_token_may_be_anything(token: bytes) -> None:
    """The operator reads little of it, and tells the function alone."""
    registry = ImageRegistry(KEYS)
    registry.token = token
    with pytest.raises(RegistryError) as error:
        await described(registry, keys=KEYS)
    assert error.value.state_code == "InvalidImage"


async def test_private_networks_are_for_registries_that_an_admin_lists() -> None:
    connected: list[object] = []

    def connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.close()

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        reference = Reference.parse(f"{host}/a")
        with pytest.raises(RegistryError, match="cannot be reached on the public internet"):
            await Registries().describe(reference, "x86_64", None)
        assert connected == []
        with pytest.raises(RegistryError, match=r"cannot be reached$"):
            await Registries([f"http://{host}"]).describe(reference, "x86_64", None)
        assert connected


def test_keys_are_read_as_docker_writes_them() -> None:
    config = json.dumps({"auths": {
        "https://index.docker.io/v1/": {"auth": KEYS.partition(" ")[2]},
        "ghcr.io": {"username": "user", "password": "secret"},
    }})  # fmt: skip
    assert find_keys(config, Reference.parse("hello")) == KEYS
    assert find_keys(config, Reference.parse("ghcr.io/a")) == KEYS
    assert find_keys(config, Reference.parse("quay.io/a")) is None
    assert find_keys("{}", Reference.parse("quay.io/a")) is None
