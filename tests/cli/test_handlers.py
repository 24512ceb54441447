"""`deploy` guesses a handler only where it is certain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pilotlight.runtimes import Handler
from pilotlight_cli.failures import Failure
from pilotlight_cli.handlers import find_handler
from tests.support.platform import zip_of

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


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
    if kind == "zip":
        source.write_bytes(zip_of(files))
    else:
        source = tmp_path
        for name, text in files.items():
            (tmp_path / name).write_text(text)
    if found is None:
        with pytest.raises(Failure, match="--handler"):
            find_handler(source)
        return
    suffixes = {name.rpartition(".")[2] for name in files}
    runtime = "nodejs24.x" if suffixes <= {"js", "mjs", "cjs"} else PYTHON
    runtime = "ruby3.3" if suffixes == {"rb"} else runtime
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
