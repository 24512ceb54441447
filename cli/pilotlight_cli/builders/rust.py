"""Rust projects: the program of `Cargo.toml`, built for release in a folder of its own.

Cargo itself knows what has to be compiled again. Source of the messages: The Cargo Book, "External
tools", "JSON messages".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..failures import USAGE, Failure
from ..output import note
from .builder import NO_NETWORK
from .program import BOOTSTRAP, ProgramBuilder, bootstrap
from .target import this_machine
from .tool import Advice

if TYPE_CHECKING:
    from ..package import Built
    from .target import Target
    from .workshop import Workshop

__all__ = ["RustBuilder"]

MANIFEST, LOCK = "Cargo.toml", "Cargo.lock"


class RustBuilder(ProgramBuilder):
    """Builds Rust projects."""

    marker = MANIFEST

    def build(self, folder: Path, target: Target, workshop: Workshop) -> Built:
        """Compile the project's program: the one that it has, or the one called bootstrap."""
        cargo = workshop.tools.find("cargo", folder / MANIFEST, "install Rust (rustup.rs)")
        triple = _triple(target)
        note(f"cargo builds for Linux {target.architecture}")
        with workshop.place_of(folder, "cargo") as place:
            command = [
                cargo, "build", "--release", "--message-format=json-render-diagnostics",
                "--target-dir", place,
                *(("--locked",) if (folder / LOCK).is_file() else ()),
                *(("--target", triple) if triple else ()),
            ]  # fmt: skip
            said = workshop.tools.ask(command, folder, advice=_advice(triple))
            return bootstrap(_program(said, folder), target, f"{folder / MANIFEST}")


def _triple(target: Target) -> str | None:
    """Name what cargo builds for; None where that is this machine itself."""
    here = sys.platform == "linux" and target.architecture == this_machine()
    return None if here else f"{target.machine}-unknown-linux-gnu"


def _advice(triple: str | None) -> tuple[Advice, ...]:
    always = (
        NO_NETWORK,
        Advice(
            r"lock file .* needs to be updated",
            f"{LOCK} is not of this {MANIFEST}: run `cargo check`",
        ),
    )
    if triple is None:
        return always
    cross = Advice(
        r"target may not be installed|can't find crate for `(?:core|std)`|linking with",
        f"another machine's programs need `rustup target add {triple}` and a linker for it "
        f"(CARGO_TARGET_{triple.upper().replace('-', '_')}_LINKER)",
    )
    return (*always, cross)


def _program(said: str, folder: Path) -> Path:
    """Choose among the programs that were made, by their names."""
    messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    made = {
        one["target"]["name"]: Path(one["executable"])
        for one in messages
        if one.get("reason") == "compiler-artifact" and one.get("executable")
    }
    if len(made) == 1:
        return next(iter(made.values()))
    if BOOTSTRAP in made:
        return made[BOOTSTRAP]
    names = f"the programs {', '.join(sorted(made))}" if made else "no program"
    raise Failure(
        f"{folder / MANIFEST} makes {names}: one of them, or one called {BOOTSTRAP}, is expected",
        USAGE,
    )
