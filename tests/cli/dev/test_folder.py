"""What `dev` applies again when files change: what differs, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pilotlight.resources import Function, Key, Secret
from pilotlight_cli.builders import Packager
from pilotlight_cli.builders.tool import Tools
from pilotlight_cli.dev.folder import AppliedFolder
from pilotlight_cli.failures import Failure
from pilotlight_cli.manifests import load
from pilotlight_cli.platform import Applied
from tests.support.memory import MemoryResources
from tests.support.platform import manifest, write_function

if TYPE_CHECKING:
    from pathlib import Path

    from pilotlight_cli.manifests import Manifest


class FakePlatform:
    """Notes what is applied; refuses some names."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.refused: set[str] = set()

    def apply(self, manifest: Manifest) -> Applied:
        """Take a manifest."""
        name = manifest.resource.metadata.name
        if name in self.refused:
            raise Failure(f"{name} is refused")
        self.applied.append(name)
        stored = {"metadata": {"name": name, "generation": 1}, "spec": {}}
        return Applied(manifest, stored, "created")

    def settle(self, name: str, generation: int, *, seconds: float) -> Function:
        """Have it served."""
        del generation, seconds
        return Function.model_validate(manifest(name))


class FakeConsole:
    """Notes what went wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, text: str) -> None:
        """Take a problem."""
        self.problems.append(text)


class Folder:
    """A folder of manifests that is applied to a fake platform."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.platform = FakePlatform()
        self.console = FakeConsole()
        self.resources = MemoryResources()
        fakes: tuple[Any, Any] = (self.platform, self.console)
        self.applied = AppliedFolder(self.resources, *fakes, Packager())

    async def start(self) -> None:
        """Apply what is there."""
        await self.applied.apply(load([self.path]))
        self.platform.applied.clear()

    async def save(self, *changed: Path) -> list[str]:
        """Tell of saved files; gives what was applied."""
        await self.applied.reload({path.resolve() for path in changed})
        told, self.platform.applied = self.platform.applied, []
        return told


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return an empty folder."""
    return Folder(tmp_path)


async def test_only_the_function_whose_code_changed_is_applied(folder: Folder) -> None:
    """And only if it did change: an editor's noise does nothing."""
    one = write_function(folder.path / "one", "one", "handler = print")
    write_function(folder.path / "two", "two", "handler = print")
    await folder.start()
    assert await folder.save(one) == []
    one.write_text("handler = repr")
    assert await folder.save(one) == ["one"]
    assert await folder.save(one) == []


async def test_what_a_link_leads_to_is_code_as_well(folder: Folder) -> None:
    """A saved target is a change, and is watched, of a linked file and of a linked folder."""
    write_function(folder.path / "one", "one", "handler = print")
    beside = folder.path / "beside"
    (beside / "library").mkdir(parents=True)
    shared, inside = beside / "shared.py", beside / "library" / "inside.py"
    for target in (shared, inside):
        target.write_text("x = 1")
    (folder.path / "one/src/shared.py").symlink_to(shared)
    (folder.path / "one/src/library").symlink_to(beside / "library")
    await folder.start()
    assert {shared, beside / "library"} < folder.applied.sources
    for target in (shared, inside):
        target.write_text("x = 22")
        assert await folder.save(target) == ["one"]
    assert await folder.save(beside / "stranger.py") == []


async def test_a_source_is_built(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `deploy` builds it, unless its manifest says otherwise; a failure is told."""
    monkeypatch.setattr(Tools, "look_for", lambda _self, _name: None)
    code = write_function(folder.path / "one", "one", "handler = print")
    await folder.start()
    (code.parent / "uv.lock").write_text("")
    assert await folder.save(code.parent / "uv.lock") == []
    assert "function.yaml: " in folder.console.problems[-1]
    assert "uv.lock wants uv" in folder.console.problems[-1]
    file = folder.path / "one" / "function.yaml"
    file.write_text(file.read_text().replace("annotations:", ANNOTATED))
    assert await folder.save(file) == ["one"]


ANNOTATED = "annotations:\n    pilotlight.dev/build: 'false'"


async def test_a_new_manifest_is_applied(folder: Folder) -> None:
    """Other new YAML is passed over."""
    await folder.start()
    new, other = folder.path / "new.yaml", folder.path / "other.yaml"
    new.write_text(yaml.safe_dump(manifest("new")))
    other.write_text("key: value")
    assert await folder.save(new, other) == ["new"]
    assert folder.console.problems == []


async def test_a_broken_manifest_is_told_and_mended(folder: Folder) -> None:
    """What was applied before stays."""
    file = folder.path / "one.yaml"
    file.write_text(yaml.safe_dump(manifest("one")))
    await folder.start()
    file.write_text("kind: [")
    assert await folder.save(file) == []
    assert "one.yaml" in folder.console.problems[0]
    file.write_text(yaml.safe_dump(manifest("one", memory=256)))
    assert await folder.save(file) == ["one"]


async def test_one_refusal_does_not_hold_up_the_others(folder: Folder) -> None:
    """It is told with its file."""
    folder.platform.refused = {"one"}
    one, two = folder.path / "one.yaml", folder.path / "two.yaml"
    one.write_text(yaml.safe_dump(manifest("one")))
    two.write_text(yaml.safe_dump(manifest("two")))
    assert await folder.save(one, two) == ["two"]
    assert folder.console.problems == [f"{one}: one is refused"]


async def test_a_deleted_file_deletes_nothing(folder: Folder) -> None:
    """As with kubectl: `pilotlight delete` does."""
    file = folder.path / "one.yaml"
    file.write_text(yaml.safe_dump(manifest("one")))
    await folder.start()
    file.unlink()
    assert await folder.save(file) == []
    assert folder.console.problems == []


async def test_secrets_are_written_and_runtimes_refused(folder: Folder) -> None:
    """Neither goes over the API."""
    file = folder.path / "all.yaml"
    secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    runtime = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Runtime",
        "metadata": {"name": "python3.13"},
        "spec": {"image": "any"},
    }
    for value in ("one", "two"):
        secret["stringData"] = {"KEY": value}
        secret["metadata"]["labels"] = {"of": value}
        file.write_text(yaml.safe_dump_all([secret, runtime]))
        assert await folder.save(file) == []
        stored = await folder.resources.get(Secret, Key("default", "s"))
        assert stored.string_data == {"KEY": value}
        assert stored.metadata.labels == {"of": value}
    assert len(folder.console.problems) == 1
    assert "Runtime" in folder.console.problems[0]
