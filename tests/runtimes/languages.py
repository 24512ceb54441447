"""The managed languages of the contract, and the words that are each one's own.

Python and Node.js are always tried; others where `PILOTLIGHT_RUNTIMES` names them, as `make
runtimes` does: they need what no setup brings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_local.environments import cache_folder
from pilotlight_local.languages import Languages
from tests.support.agent import MEMORY, Agent, pack, read_folder, waiting
from tests.support.node import node_of
from tests.support.pod_agent import PodAgent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ASKED_FOR", "CASES", "EVERYWHERE", "LANGUAGES", "Language"]

CONFORMANCE = Path(__file__).parents[2] / "runtime-images/conformance"
CASES = CONFORMANCE / "cases"
PROVIDED = CONFORMANCE / "provided"
ON_CLUSTER = os.environ.get("PILOTLIGHT_CONFORMANCE") == "cluster"
"""Whether agents are pods of the cluster of KUBECONFIG, made of the runtimes' images."""
SCRIPTS = {
    ("raises_at_init", ""): "KeyError",
    ("syntax_error", ""): "Runtime.UserCodeSyntaxError",
    ("missing_module", ""): "Runtime.ImportModuleError",
    ("hello", "hello/other.handler"): "Runtime.ImportModuleError",
    ("hello", "hello/main.missing"): "Runtime.HandlerNotFound",
    ("hello", "nodots"): "Runtime.MalformedHandlerName",
}
"""By case and handler, the error of what cannot be loaded."""


@dataclass(frozen=True)
class Language:
    """A managed runtime whose functions are source text."""

    runtime: str
    layers: str
    """The variable that says where modules of layers are; empty where none does."""
    no_json: str
    unloadable: Mapping[tuple[str, str], str | None] = field(default_factory=lambda: SCRIPTS)
    deferred: tuple[str, ...] = ()
    """Handlers of those whose failure the first call is told, and no init phase."""
    names_request: bool = True
    """Whether an entry of a text log has the request's id."""
    error_entry: str = "ERROR"
    """What stands in the log of an error that the function raises."""
    request_id: str = "requestId"
    """Its field in JSON logs."""
    managed: bool = True
    """Whether the runtime is ours, and logs in Lambda's two formats."""
    seconds: int = 1
    """In which it starts on a busy machine."""
    traces: bool = True
    """Whether an error says where it was raised."""
    lacks: frozenset[str] = frozenset()
    """Cases that the language does not have."""
    waits: bool = False
    """Whether its process is there before its function is known."""

    @property
    def name(self) -> str:
        """What it is called."""
        return f"waiting-{self.runtime}" if self.waits else self.runtime

    @property
    def interpreter(self) -> str:
        """What runs it here."""
        if self.runtime.startswith("python"):
            return sys.executable
        return (
            node_of(self.runtime) if self.runtime.startswith("node") else str(found(self.runtime))
        )

    def handler(self, case: str) -> str:
        """Return where a case's function begins."""
        return f"{case}/main.handler"

    def files(self, case: str) -> dict[str, bytes]:
        """Return what a function of a case is deployed with."""
        return {f"{case}/{name}": text for name, text in read_folder(CASES / case).items()}

    def layer(self) -> dict[str, bytes]:
        """Return what the layer has, for every language."""
        return read_folder(CASES / "layer/opt")

    @property
    def image(self) -> str:
        """What its pods are made of, on a cluster."""
        return self.runtime

    def agent(self, folder: Path, memory: int) -> Agent:
        """Start an agent, here or in a pod, for a function of so many MB."""
        if ON_CLUSTER:
            return PodAgent(folder, self.runtime, self.image, memory if self.waits else 0)
        options = waiting(self.runtime, memory) if self.waits else ()
        return Agent(folder, *options, python=self.interpreter)

    @contextmanager
    def running(
        self, folder: Path, case: str, handler: str = "", **choices: Any
    ) -> Iterator[Agent]:
        """Run an agent that serves a case, if the language has it."""
        if case in self.lacks:
            pytest.skip(f"{self.name} has no case {case}")
        choices = {"timeout": 10, "handler": handler or self.handler(case), **choices}
        with self.agent(folder, choices.get("memory", MEMORY)) as agent:
            if self.waits:
                agent.wait_until_prepared()
            reply = agent.specialise(self.files(case), runtime=self.runtime, **choices)
            assert reply.status == 200, reply.body
            yield agent


class Java(Language):
    """Compiled once for all cases, by the compiler beside the Java that runs them."""

    @property
    def interpreter(self) -> str:
        """Java with AWS's runtime client around it."""
        return str(found(self.runtime))

    def handler(self, case: str) -> str:
        """Return a class of Lambda's interfaces, or a method of any other."""
        return f"{case}.Main" if case in {"context", "echo"} else f"{case}.Main::handler"

    def files(self, case: str) -> dict[str, bytes]:
        """Return the classes of a case."""
        return {name: text for name, text in classes(self.runtime).items() if in_(case, name)}

    def layer(self) -> dict[str, bytes]:
        """Return the layer with a jar."""
        shared = {n: text for n, text in classes(self.runtime).items() if in_("shared", n)}
        return {**super().layer(), "java/lib/shared.jar": pack(shared)}


def in_(folder: str, name: str) -> bool:
    return name.startswith(f"{folder}/")


@cache
def found(runtime: str) -> Path:
    """Return what runs a runtime here, as in local mode."""
    return Languages(cache_folder(), print).find(runtime).path


@cache
def classes(runtime: str) -> dict[str, bytes]:
    """Compile every case; `shared` is what the layer's jar has."""
    java = found(runtime)
    out = cache_folder().parent / "conformance" / runtime
    subprocess.run(
        [
            java.resolve().with_name("javac"), "--release", runtime.removeprefix("java"),
            "-cp", f"{java.parents[1]}/lib/*", "-d", out,
            *CASES.glob("*/Main.java"), *CASES.glob("layer/shared/*.java"),
        ],
        check=True,
    )  # fmt: skip
    return read_folder(out)


@dataclass(frozen=True)
class Provided(Language):
    """A language whose functions bring a bootstrap, one for all cases: the handler says which."""

    language: str = ""
    build: tuple[str, ...] = ()
    """What builds the bootstrap into `{out}`."""

    @property
    def name(self) -> str:
        """The language beside the runtime."""
        return f"{self.runtime}-{self.language}"

    @property
    def interpreter(self) -> str:
        """What the bootstrap needs beside itself, which is on the function's path then."""
        return shutil.which(self.language) or sys.executable

    @property
    def image(self) -> str:
        """PHP's has what it needs: a layer would, for users."""
        return "provided-php" if self.language == "php" else self.runtime

    def handler(self, case: str) -> str:
        """Return the case itself."""
        return case

    def files(self, case: str) -> dict[str, bytes]:  # noqa: ARG002  one for all
        """Return the bootstrap, and what it needs."""
        return built(self.language, self.build)


@cache
def built(language: str, build: tuple[str, ...]) -> dict[str, bytes]:
    """Build a bootstrap, or return what runs as it is."""
    source = PROVIDED / language
    if not build:
        return read_folder(source)
    out = cache_folder().parent / "conformance" / language
    out.mkdir(parents=True, exist_ok=True)
    command = [part.format(out=out) for part in build]
    variables = os.environ | {"CGO_ENABLED": "0"}
    subprocess.run(command, cwd=source, env=variables, check=True)
    bootstrap = next(out.rglob("bootstrap"))
    return {"bootstrap": bootstrap.read_bytes()}


EVERYWHERE = [
    Language("python3.13", "PYTHONPATH", "Runtime.MarshalError"),
    Language("nodejs22.x", "NODE_PATH", "Runtime.JSONStringifyError"),
    Language("nodejs24.x", "NODE_PATH", "Runtime.JSONStringifyError"),
    Language("nodejs24.x", "NODE_PATH", "Runtime.JSONStringifyError", waits=True),
]
JAVA = Java(
    "java21", "", "java.lang.RuntimeException",
    unloadable={
        ("raises_at_init", ""): "java.lang.IllegalStateException",
        ("missing_module", ""): "java.lang.NoClassDefFoundError",
        ("hello", "hello.Other::handler"): "java.lang.ClassNotFoundException",
        ("hello", "hello.Main::missing"): None,
        ("hello", "nodots"): "java.lang.ClassNotFoundException",
    },
    deferred=("hello.Other::handler", "hello.Main::missing", "nodots"),
    seconds=3, names_request=False, error_entry="ShopError", request_id="AWSRequestId",
    lacks=frozenset({"tenant"}),
)  # fmt: skip
RUBY = Language(
    "ruby3.3", "GEM_PATH", "Function<JSON::NestingError>",
    unloadable={
        ("raises_at_init", ""): "Init<KeyError>",
        ("syntax_error", ""): "Init<SyntaxError>",
        ("missing_module", ""): "Init<LoadError>",
        ("hello", "hello/other.handler"): "Init<LoadError>",
        ("hello", "hello/main.missing"): "Function<NoMethodError>",
        ("hello", "nodots"): "Init<ArgumentError>",
    },
    deferred=("hello/main.missing",),
    error_entry="Function<",
    lacks=frozenset({"meeting"}),
)  # fmt: skip
ASKED_FOR = [
    JAVA,
    *([replace(JAVA, waits=True)] if ON_CLUSTER else []),  # elsewhere it has a /tmp of its own
    RUBY,
    Provided(
        "provided.al2023", "", "Runtime.Unknown",
        language="go",
        build=("go", "build", "-tags", "lambda.norpc", "-o", "{out}/bootstrap", "."),
        managed=False, unloadable={}, error_entry="", traces=False,
        lacks=frozenset({"layer", "logs", "meeting", "no_json", "tenant"}),
    ),
    Provided(
        "provided.al2023", "", "",
        language="rust", build=("cargo", "build", "--release", "--target-dir", "{out}"),
        managed=False, unloadable={}, error_entry="", traces=False,
        lacks=frozenset({"layer", "logs", "meeting", "no_json", "tenant"}),
    ),
    Provided(
        "provided.al2023", "", "JsonException",
        language="php",
        managed=False, unloadable={},
        lacks=frozenset({"layer", "logs", "meeting", "tenant"}),
    ),
    Provided(
        "provided.al2023", "", "",
        language="shell",
        managed=False, unloadable={}, error_entry="", traces=False,
        lacks=frozenset({
            "context", "environment", "layer", "length", "logs", "meeting", "memory", "no_json",
            "size", "tenant",
        }),
    ),
]  # fmt: skip
LANGUAGES = [
    *EVERYWHERE,
    *(one for one in ASKED_FOR if one.name in os.environ.get("PILOTLIGHT_RUNTIMES", "").split()),
]
