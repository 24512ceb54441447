"""Manifests are loaded whole, or every mistake is named with its place."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotlight.resources import Function, Secret
from pilotlight_cli.failures import Failure
from pilotlight_cli.manifests import load
from pilotlight_cli.package import package_of
from tests.support.platform import manifest, write_function

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


def write(path: Path, *documents: Any) -> Path:
    """Write a file of documents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents))
    return path


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"spec": {"memory": 127}}, "spec.memory: 127 came"),
        ({"spec": {"memory": 10_241}}, "spec.memory: 10241 came"),
        ({"spec": {"timeout": 0}}, "spec.timeout: 0 came"),
        ({"spec": {"timeout": 901}}, "spec.timeout: 901 came"),
        ({"spec": {"handler": "a blank"}}, "spec.handler: 'a blank' came"),
        ({"spec": {"memroy": 256}}, "spec.memroy: this field is not known"),
        ({"spec": {"environment": {"AWS_REGION": "x"}}}, "AWS_REGION"),
        ({"spec": {"environment": {"BIG": "x" * 4096}}}, "4KB"),
        ({"spec": {"code": {}}}, "exactly one of inline, zip, s3 and image"),
        ({"kind": "Pod"}, "kind: 'Pod' came"),
        ({"apiVersion": "v2"}, "apiVersion: 'v2' came"),
        ({"metadata": {}}, "metadata.name: a name is expected"),
        ({"metadata": {"name": "x", "uid": "1"}}, "metadata.uid"),
    ],
    ids=str,
)
def test_a_mistake_names_file_line_and_field(
    tmp_path: Path, change: dict[str, Any], mistake: str
) -> None:
    """Usage: exit status 2."""
    wanted = manifest("good")
    bad = {**wanted, **change}
    if "spec" in change:
        bad["spec"] = {**wanted["spec"], **change["spec"]}
    file = write(tmp_path / "two.yaml", wanted, bad)
    with pytest.raises(Failure) as failure:
        load([file])
    assert failure.value.exit_code == 2
    place = re.match(r"(.*):(\d+): ", failure.value.message)
    assert place is not None
    assert place[1] == str(file)
    second = file.read_text().splitlines().index("---") + 1
    assert int(place[2]) > second
    assert mistake in failure.value.message


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Of several files."""
    write(tmp_path / "a.yaml", manifest("a", memory=1))
    write(tmp_path / "b.yaml", manifest("b", timeout=0))
    with pytest.raises(Failure) as failure:
        load([tmp_path])
    assert len(failure.value.message.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "mistake"),
    [("a: [", "no YAML"), ("just text", "a mapping is expected"), ("- 1", "a mapping is expected")],
)
def test_a_named_file_has_to_be_a_manifest(tmp_path: Path, text: str, mistake: str) -> None:
    """What is no mapping is not passed over."""
    file = tmp_path / "named.yaml"
    file.write_text(text)
    with pytest.raises(Failure, match=mistake):
        load([file])


def test_a_missing_path_is_usage(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(Failure, match="absent") as failure:
        load([tmp_path / "absent"])
    assert failure.value.exit_code == 2


def test_folders_are_searched_for_manifests(tmp_path: Path) -> None:
    """Other YAML in them is somebody else's; Secrets come before what refers to them."""
    write(tmp_path / "a.yaml", manifest("a"))
    write(tmp_path / "deep" / "b.yml", SECRET, manifest("b"))
    write(tmp_path / "compose.yaml", {"services": {}})
    write(tmp_path / ".git" / "c.yaml", manifest("c"))
    write(tmp_path / "node_modules" / "d" / "d.yaml", manifest("d"))
    (tmp_path / "node_modules" / "odd.json").write_bytes(b'{"a": "\xc2\x83"}')
    loaded = load([tmp_path])
    assert [(type(one.resource), one.resource.metadata.name) for one in loaded] == [
        (Secret, "s"),
        (Function, "a"),
        (Function, "b"),
    ]


def test_code_in_a_folder_becomes_a_package(tmp_path: Path) -> None:
    """The manifest that is sent has its sha256."""
    code = write_function(tmp_path, "sourced", "handler = print")
    (loaded,) = load([tmp_path])
    assert loaded.package == package_of(code.parent)
    assert isinstance(loaded.resource, Function)
    assert loaded.resource.spec.code.zip == loaded.package.sha256
    assert loaded.document["spec"]["code"] == {"zip": loaded.package.sha256}
    code.write_text("handler = repr")
    assert load([tmp_path]) != [loaded]


@pytest.mark.parametrize(
    ("source", "spec", "mistake"),
    [
        ("./absent", {}, "neither a file nor a folder"),
        (".", {"code": {"inline": "x"}}, "spec.code: leave it out"),
    ],
)
def test_a_bad_source_is_told(
    tmp_path: Path, source: str, spec: dict[str, Any], mistake: str
) -> None:
    """With the annotation, or the field that contradicts it."""
    document = manifest("sourced")
    del document["spec"]["code"]
    document["spec"] |= spec
    document["metadata"]["annotations"] = {"pilotlight.dev/source": source}
    with pytest.raises(Failure, match=mistake):
        load([write(tmp_path / "f.yaml", document)])


def test_secrets_are_read_as_kubernetes_writes_them(tmp_path: Path) -> None:
    """Base64 in `data`, plain text in `stringData`, which wins."""
    document = {
        **SECRET,
        "type": "Opaque",
        "data": {"A": "YQ==", "B": "Yg=="},
        "stringData": {"B": "plain"},
    }
    (loaded,) = load([write(tmp_path / "s.yaml", document)])
    assert isinstance(loaded.resource, Secret)
    assert loaded.resource.string_data == {"A": "a", "B": "plain"}


@pytest.mark.parametrize("data", [{"A": "%"}, {"A": "/w=="}, {"A": 1}, "text"])
def test_other_data_of_a_secret_is_refused(tmp_path: Path, data: Any) -> None:
    """What is no base64 of text."""
    with pytest.raises(Failure, match="base64"):
        load([write(tmp_path / "s.yaml", {**SECRET, "data": data})])


def test_a_key_that_comes_twice_is_refused(tmp_path: Path) -> None:
    """With its file and line: the later one would be taken without a word."""
    file = tmp_path / "f.yaml"
    file.write_text("kind: Function\nspec:\n  runtime: python3.12\n  runtime: python3.13\n")
    with pytest.raises(Failure, match=r"'runtime' comes twice\n.*line 4") as failure:
        load([file])
    assert str(file) in failure.value.format_message()


@pytest.mark.parametrize("folder", ["m", "./m", "m/../m"])
def test_a_relative_folder_of_manifests_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "f.yaml").write_text(json.dumps(manifest("relative")))
    os.mkfifo(tmp_path / "m" / "pipe.yaml")
    monkeypatch.chdir(tmp_path)
    assert [one.resource.metadata.name for one in load([Path(folder)])] == ["relative"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Funktion\n", ":2: kind: 'Funktion' came, "),
        ("kind: Funktion\n", "did you mean 'Function'?"),
        (("kind: FunctionAlias\nmetadata: {name: a}\nspec:\n  function: f\n  alias: prod\n"
         "  version: 1\n"), ':7: spec.version: 1 came, it should be a valid string: quote it, "1"'),
        (("kind: Route\nmetadata: {name: a}\nspec:\n  host: a.example\n  function: f\n"
         "  payloadFormat: 2.0\n"), 'quote it, "2.0"'),
        (("kind: Schedule\nmetadata: {name: a}\nspec:\n  function: f\n"
         "  expression: cron(0 2 * * 1-5)\n"), "AWS writes cron(0 2 ? * 2-6 *)"),
        ("kind: Function\nmetadata: {name: a\n", ":4: no YAML"),
        ("kind: Function\nkind: Function\n", ":3: no YAML: the key 'kind' comes twice"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_to_write(tmp_path: Path, text: str, says: str) -> None:
    """What YAML reads otherwise than was meant, habits of crontab, a name nearly right."""
    file = tmp_path / "one.yaml"
    file.write_text(f"apiVersion: pilotlight.dev/v1alpha1\n{text}")
    with pytest.raises(Failure) as failure:
        load([file])
    assert says in failure.value.message
