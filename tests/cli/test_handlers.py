"""`deploy` guesses a handler only where it is certain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pilotlight.runtimes import Handler
from pilotlight_cli.failures import Failure
from pilotlight_cli.handlers import find_handler, find_runtime
from tests.support.platform import zip_of

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


JAVA = "public class B\n    extends X implements RequestHandler<A, C> {}"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"lambda_function.py": "def lambda_handler(e, c): ..."}, "lambda_function.lambda_handler"),
        ({"index.py": "def handler(e, c): ..."}, "index.handler"),
        ({"main.py": "handler = make()", "index.py": ""}, "main.handler"),
        ({"index.py": "def handler(): ...\ndef lambda_handler(): ..."}, "index.lambda_handler"),
        ({"bootstrap": "#!/bin/sh", "index.py": "def handler(): ..."}, "bootstrap"),
        ({"index.mjs": "export const handler = async () => 1"}, "index.handler"),
        ({"app.js": "exports.lambdaHandler = async () => 1"}, "app.lambdaHandler"),
        ({"main.cjs": "module.exports.handler = () => 1"}, "main.handler"),
        ({"index.mjs": "const handler = 1;\nexport { other, handler };"}, "index.handler"),
        ({"index.js": "export async function handler() {}"}, "index.handler"),
        ({"index.mjs": "const handler = 1; export const handlers = 2"}, None),
        ({"index.rb": "def handler(event:, context:)\nend"}, "index.handler"),
        ({"app.rb": "def lambda_handler(**)\nend"}, "app.lambda_handler"),
        ({"index.rb": "class A\n  def self.handler(**)\n  end\nend"}, None),
        ({"go.mod": "module a"}, "bootstrap"),
        ({"Cargo.toml": "[package]"}, "bootstrap"),
        ({"src/main/java/a/B.java": f"package a;\n{JAVA}"}, "a.B"),
        (
            {"src/main/java/B.java": JAVA.replace("RequestHandler<A, C>", "RequestStreamHandler")},
            "B",
        ),
        ({"src/main/java/B.java": JAVA, "src/main/java/C.java": JAVA}, None),
        ({"src/main/java/B.java": "public class B { }"}, None),
        ({"index.py": "def broken(:"}, None),
        ({"other.py": "def handler(e, c): ..."}, None),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_usual_name_is_found(
    tmp_path: Path, kind: str, files: dict[str, str], found: str | None
) -> None:
    """In a folder and in a zip."""
    source = tmp_path / "source.zip"
    if kind == "zip" and any("/" in name or name in {"go.mod", "Cargo.toml"} for name in files):
        return  # sources, which no package has
    if kind == "zip":
        source.write_bytes(zip_of(files))
    else:
        source = tmp_path
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
    if found is None:
        with pytest.raises(Failure, match="--handler"):
            find_handler(source)
        return
    suffixes = {name.rpartition(".")[2] for name in files}
    runtime = "nodejs24.x" if suffixes <= {"js", "mjs", "cjs"} else PYTHON
    runtime = "ruby3.3" if suffixes == {"rb"} else runtime
    runtime = "java21" if suffixes == {"java"} else runtime
    runtime = "provided.al2023" if found == "bootstrap" else runtime
    assert find_handler(source) == Handler(runtime, found)


def test_a_single_file_may_have_any_name(tmp_path: Path) -> None:
    """It is the module."""
    (tmp_path / "other.py").write_text("def handler(e, c): ...")
    assert find_handler(tmp_path / "other.py") == Handler(PYTHON, "other.handler")
    (tmp_path / "other.mjs").write_text("export const handler = 1")
    assert find_handler(tmp_path / "other.mjs") == Handler("nodejs24.x", "other.handler")
    (tmp_path / "other.rb").write_text("def handler(event:, context:) = 1")
    assert find_handler(tmp_path / "other.rb") == Handler("ruby3.3", "other.handler")


def test_a_known_runtime_is_the_only_one_that_is_looked_at(tmp_path: Path) -> None:
    """A folder may have code of two languages."""
    (tmp_path / "index.py").write_text("def handler(e, c): ...")
    (tmp_path / "app.mjs").write_text("export const handler = 1")
    assert find_handler(tmp_path, "nodejs22.x") == Handler("nodejs22.x", "app.handler")
    with pytest.raises(Failure, match=r"give --handler \(looked for one class in src/main/java"):
        find_handler(tmp_path, "java21")
    with pytest.raises(Failure, match=r"give --handler$"):
        find_handler(tmp_path, "dotnet10")


@pytest.mark.parametrize(
    ("files", "runtime"),
    [
        ({"requirements.txt": "a", ".python-version": "3.12.4"}, "python3.12"),
        ({"pyproject.toml": "[project]\nrequires-python='>=3.14'\ndependencies=['a']"},
         "python3.14"),
        ({"requirements.txt": "a"}, PYTHON),
        ({"package.json": '{"dependencies": {"a": "1"}}', ".nvmrc": "v22.1"}, "nodejs22.x"),
        ({"package.json": '{"dependencies": {"a": "1"}}', ".nvmrc": "lts/*"}, "nodejs24.x"),
        ({"pom.xml": "<maven.compiler.release>25</maven.compiler.release>"}, "java25"),
        ({"pom.xml": "<maven.compiler.source>1.8</maven.compiler.source>"}, "java21"),
        ({"Gemfile": "gem 'a'", ".ruby-version": "3.4.1"}, "ruby3.4"),
        ({"go.mod": ""}, "provided.al2023"),
    ],
)  # fmt: skip
def test_a_projects_runtime(tmp_path: Path, files: dict[str, str], runtime: str) -> None:
    """As the language's own tools are told it."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert find_runtime(tmp_path) == runtime


def test_several_projects_in_one_folder(tmp_path: Path) -> None:
    """The handler tells them apart, or the runtime that is asked for; else it is said."""
    (tmp_path / "requirements.txt").write_text("a")
    (tmp_path / "package.json").write_text('{"dependencies": {"a": "1"}}')
    with pytest.raises(Failure, match=r"has requirements\.txt and package\.json: .*--runtime"):
        find_runtime(tmp_path)
    (tmp_path / "index.mjs").write_text("export const handler = 1")
    assert find_runtime(tmp_path) == "nodejs24.x"
