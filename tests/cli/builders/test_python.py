"""Python projects get what they require, for the runtime's version and platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight_cli.builders import Packager, Target, Workshop, builder_of, python
from pilotlight_cli.builders.tool import Tools
from pilotlight_cli.failures import Failure
from tests.support.packed import read_package
from tests.support.wheels import write_wheel

TARGET = Target("python3.13", "x86_64")
FROM_WHEELS = "--no-index\n--find-links ../wheels\n"


@pytest.fixture(autouse=True)
def own_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is compiled: no interpreter of the target's version is looked for."""
    monkeypatch.setattr(python, "find_interpreter", lambda _version: None)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Wheels beside the projects: of one there are three, for this and that platform."""
    folder = tmp_path / "wheels"
    write_wheel(folder, "pure", "1.0")
    write_wheel(folder, "native", tag="cp313-cp313-manylinux2014_x86_64", says="313 x86_64")
    write_wheel(folder, "native", tag="cp313-cp313-manylinux2014_aarch64", says="313 arm64")
    write_wheel(folder, "native", tag="cp312-cp312-manylinux_2_28_x86_64", says="312 x86_64")
    write_wheel(folder, "macs", tag="cp313-cp313-macosx_11_0_arm64")
    return folder


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Path:
    """A function that requires two of them."""
    folder = tmp_path / "a fünction"
    folder.mkdir()
    (folder / "index.py").write_text("import native, pure")
    (folder / "requirements.txt").write_text(f"{FROM_WHEELS}native\npure==1.0\n")
    assert wheels.is_dir()
    return folder


@pytest.mark.parametrize(
    ("installer", "target", "says"),
    [
        ("uv", TARGET, "313 x86_64"),
        ("uv", Target("python3.13", "arm64"), "313 arm64"),
        ("uv", Target("python3.12", "x86_64"), "312 x86_64"),
        ("pip", Target("python3.13", "arm64"), "313 arm64"),
    ],
)
def test_wheels_are_the_targets(
    project: Path,
    packager: Packager,
    monkeypatch: pytest.MonkeyPatch,
    installer: str,
    target: Target,
    says: str,
) -> None:
    """Whatever this machine is; commands and marks of the installer, which name it, stay out."""
    if installer == "pip":
        monkeypatch.setattr(Tools, "look_for", lambda _self, _name: None)
    files = read_package(packager.package_of(project, target))
    assert files["native.py"] == f"SAYS = {says!r}\n"
    assert sorted(files) == [
        "index.py",
        *(f"native-1.0.dist-info/{name}" for name in INFO),
        "native.py",
        *(f"pure-1.0.dist-info/{name}" for name in INFO),
        "pure.py",
        "requirements.txt",
    ]
    records = files["pure-1.0.dist-info/RECORD"]
    assert "pure.py" in records
    assert "INSTALLER" not in records
    assert "bin/" not in records


INFO = ("METADATA", "RECORD", "WHEEL", "entry_points.txt")


def test_the_same_content_is_the_same_package(project: Path, tmp_path: Path) -> None:
    """Built twice, in two caches, from two folders."""
    first = Packager(Workshop(tmp_path / "one")).package_of(project, TARGET)
    again = project.rename(tmp_path / "elsewhere")
    assert Packager(Workshop(tmp_path / "two")).package_of(again, TARGET) == first


def test_what_was_built_is_not_built_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as nothing differs that it is built from; the code does not count."""
    ran: list[object] = []

    def install(_tools: Tools, command: list[str], _folder: Path, **_: object) -> None:
        ran.append(command)
        Path(command[command.index("--target") + 1], "pure.py").write_text("installed")

    monkeypatch.setattr(Tools, "run", install)

    def deploy(target: Target = TARGET, *, fresh: bool = False) -> int:
        ran.clear()
        Packager(Workshop(tmp_path / "cache", fresh=fresh)).package_of(project, target)
        return len(ran)

    assert deploy() == 1
    (project / "index.py").write_text("import pure")
    assert deploy() == 0
    assert deploy(Target("python3.12", "x86_64")) == 1
    (project / "requirements.txt").write_text(f"{FROM_WHEELS}pure")
    assert deploy() == 1
    assert deploy(fresh=True) == 1
    for kept in (tmp_path / "cache").glob("*.zip"):
        kept.write_bytes(kept.read_bytes()[:-30])  # as a machine that lost its power leaves it
    assert deploy() == 1


@pytest.mark.parametrize(
    "chosen",
    [
        {"pyproject.toml": "[tool.uv]\nresolution = 'lowest'"},
        {"uv.toml": "resolution = 'lowest'"},
        {"UV_INDEX_URL": "https://user:secret@index"},
        {"PIP_INDEX_URL": "https://user:secret@index"},
        {},
    ],
    ids=["pyproject", "uv.toml", "UV_", "PIP_", "installer"],
)
def test_what_chooses_versions_differently_builds_anew(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str]
) -> None:
    """Another index, other rules, another installer: other packages, under the same names."""
    ran: list[object] = []

    def install(_tools: Tools, command: list[str], _folder: Path, **_: object) -> None:
        ran.append(command)
        Path(command[command.index("--target") + 1], "pure.py").write_text("installed")

    monkeypatch.setattr(Tools, "run", install)

    def deploy() -> int:
        Packager(Workshop(tmp_path / "cache")).package_of(project, TARGET)
        return len(ran)

    assert [deploy(), deploy()] == [1, 1]
    for name, value in chosen.items():
        if "." in name:
            (project / name).write_text(value)
        else:
            monkeypatch.setenv(name, value)
    if not chosen:
        monkeypatch.setattr(Tools, "look_for", lambda _self, _name: None)
    assert [deploy(), deploy()] == [2, 2]
    assert not any(b"secret" in kept.read_bytes() for kept in (tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("required", "said"),
    [
        ("macs", r"no wheel for Python 3\.13 on Linux x86_64"),
        ("nobody", r"a name or a version is not there"),
        ("this is none", r"that is no requirement: look for it in the folder's requirements\.txt"),
    ],
)
def test_a_failure_says_what_to_do(
    project: Path, packager: Packager, required: str, said: str
) -> None:
    """Behind the installer's own last lines; nothing is kept of it."""
    (project / "requirements.txt").write_text(f"{FROM_WHEELS}{required}")
    with pytest.raises(Failure, match=rf"(?s)uv failed with status [12]:.*{required}.*{said}"):
        packager.package_of(project, TARGET)
    assert [*(project.parent / "cache").iterdir()] == []


def test_a_folder_of_the_project_is_installed_and_left_clean(
    project: Path, packager: Packager
) -> None:
    """An editable one, too; and what it needs."""
    library = project / "lib"
    write_project(library, "shop", "pure")
    (project / "requirements.txt").write_text(f"{FROM_WHEELS}-e ./lib\n")
    before = sorted(project.rglob("*"))
    files = read_package(packager.package_of(project, TARGET))
    assert files["shop/__init__.py"] == "SHOP = 1\n"
    assert "pure.py" in files
    assert not any("direct_url" in name or name.endswith(".pth") for name in files)
    assert sorted(project.rglob("*")) == before


def write_project(folder: Path, name: str, *required: str, layout: str = "") -> None:
    """Write a package with a build backend of its own, for which nothing has to be fetched."""
    (folder / layout / name).mkdir(parents=True)
    (folder / layout / name / "__init__.py").write_text("SHOP = 1\n")
    (folder / "backend.py").write_text(BACKEND.format(name=name, layout=layout, required=required))
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "2"\ndependencies = {[*required]}\n'
    )


BACKEND = """
import pathlib, zipfile

def build_wheel(to, config_settings=None, metadata_directory=None):
    pathlib.Path("litter").write_text("as setuptools does")
    meta = "Metadata-Version: 2.1\\nName: {name}\\nVersion: 2\\n"
    meta += "".join("Requires-Dist: " + one + "\\n" for one in {required})
    wheel = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    name = "{name}-2-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(to, name), "w") as archive:
        archive.write(pathlib.Path("{layout}", "{name}", "__init__.py"), "{name}/__init__.py")
        archive.writestr("{name}-2.dist-info/METADATA", meta)
        archive.writestr("{name}-2.dist-info/WHEEL", wheel)
        archive.writestr("{name}-2.dist-info/RECORD", "")
    return name
"""


def test_a_project_with_a_build_system_is_installed(project: Path, packager: Packager) -> None:
    """Its modules lie where they are imported from; what it requires, uv finds as it is told."""
    folder = project / "shop"
    write_project(folder, "shop", "pure", layout="src")
    (folder / "uv.toml").write_text('no-index = true\nfind-links = ["../../wheels"]\n')
    files = read_package(packager.package_of(folder, TARGET))
    assert {"shop/__init__.py", "shop-2.dist-info/METADATA", "pure.py"} < files.keys()
    assert not any(name.startswith("src/") for name in files)
    (folder / "src" / "shop" / "__init__.py").write_text("SHOP = 2\n")
    assert read_package(packager.package_of(folder, TARGET))["shop/__init__.py"] == "SHOP = 2\n"


@pytest.mark.parametrize(
    ("files", "manifest"),
    [
        ({}, None),
        ({"requirements.txt": "# none\n--pre\n"}, None),
        ({"requirements.txt": "a"}, "requirements.txt"),
        ({"pyproject.toml": "[tool.ruff]\n[build-system]\n"}, None),
        ({"pyproject.toml": "[project]\nname='a'\ndependencies=[]"}, None),
        ({"pyproject.toml": "[project]\nname='a'\ndependencies=['b']"}, "pyproject.toml"),
        ({"pyproject.toml": "[tool.poetry]\n[build-system]\n"}, "pyproject.toml"),
        ({"pyproject.toml": "[project]\ndependencies=['b']", "requirements.txt": "a"},
         "requirements.txt"),
        ({"pyproject.toml": "[project]", "uv.lock": "", "requirements.txt": "a"}, "uv.lock"),
    ],
)  # fmt: skip
def test_only_what_asks_for_something_is_built(
    tmp_path: Path, files: dict[str, str], manifest: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    builder = builder_of(tmp_path, "python3.13")
    assert (builder and builder.manifest(tmp_path)) == manifest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project", r"pyproject\.toml: no TOML: "),
        ("[project]\ndependencies=['b']\n[tool.uv.sources]\nb={path='b'}", "run `uv lock`"),
        ("[project]\ndependencies='b'", r"project\.dependencies: a list of strings is expected"),
        ("project=1", r"project: a table is expected"),
    ],
)
def test_a_project_that_cannot_be_read(
    project: Path, packager: Packager, text: str, said: str
) -> None:
    (project / "requirements.txt").unlink()
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(Failure, match=said):
        packager.package_of(project, TARGET)
