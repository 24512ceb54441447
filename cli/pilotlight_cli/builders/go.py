"""Go projects: the program of `go.mod`'s folder, without anything of this machine in it.

Go itself knows what has to be compiled again, so its own cache is the only one. Source: AWS Lambda
Developer Guide, "Deploy Go Lambda functions with .zip file archives".
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..output import note
from .builder import NO_NETWORK
from .program import BOOTSTRAP, ProgramBuilder, bootstrap
from .tool import Advice

if TYPE_CHECKING:
    from pathlib import Path

    from ..package import Built
    from .target import Target
    from .workshop import Workshop

__all__ = ["GoBuilder"]

MANIFEST = "go.mod"
_ADVICE = (
    NO_NETWORK,
    Advice(r"go\.sum|updates to go\.mod|go mod tidy", "run `go mod tidy` in the folder"),
    Advice(r"no Go files", "the program has to be in go.mod's own folder: package main"),
    Advice(r"requires go >=", "a newer Go is needed (go.dev/dl)"),
)


class GoBuilder(ProgramBuilder):
    """Builds Go projects."""

    marker = MANIFEST

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Compile what the folder's package main is."""
        go = workshop.tools.find("go", folder / MANIFEST, "install it (go.dev/dl)")
        note(f"go builds for Linux {target.architecture}")
        with workshop.place_of(folder, f"go {target.architecture}") as place:
            program = place / BOOTSTRAP
            command = [
                go, "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
                "-o", str(program), ".",
            ]  # fmt: skip
            workshop.tools.run(command, folder, advice=_ADVICE, variables=_variables(target))
            return bootstrap(program, target, f"{folder / MANIFEST}: package main is expected")


def _variables(target: Target) -> dict[str, str]:
    processor = "arm64" if target.architecture == "arm64" else "amd64"
    cgo = os.environ.get("CGO_ENABLED", "0")  # C libraries of here may not be there
    return {"GOOS": "linux", "GOARCH": processor, "CGO_ENABLED": cgo}
