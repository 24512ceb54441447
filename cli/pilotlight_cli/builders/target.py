"""What a build is for: a runtime and a processor, in the words of each tool."""

from __future__ import annotations

import platform
from typing import NamedTuple

from ..failures import USAGE, Failure

__all__ = ["ARCHITECTURES", "Target", "this_machine"]

ARCHITECTURES = ("x86_64", "arm64")
"""Lambda's names of processors."""
_ELF = {"x86_64": 62, "arm64": 183}
"""Of each, what an executable has as its machine (ELF-64 Object File Format, `e_machine`)."""
_ELF_MARK, _ELF_MACHINE = b"\x7fELF", slice(18, 20)


class Target(NamedTuple):
    """Where what is built runs."""

    runtime: str
    architecture: str

    @property
    def version(self) -> str:
        """The language's version: 3.13 of `python3.13`, 22.x of `nodejs22.x`."""
        return self.runtime.lstrip("abcdefghijklmnopqrstuvwxyz").removesuffix(".x")

    @property
    def machine(self) -> str:
        """The processor as Linux and Python's wheels call it."""
        return "aarch64" if self.architecture == "arm64" else "x86_64"

    def runs(self, program: bytes) -> bool:
        """Say whether a file is an executable for this processor."""
        machine = int.from_bytes(program[_ELF_MACHINE], "little")
        return program.startswith(_ELF_MARK) and machine == _ELF[self.architecture]

    def check(self, name: str, compiled: bytes) -> None:
        """Raise Failure where a compiled file is not for this processor."""
        if not self.runs(compiled):
            raise Failure(
                f"{name} is not compiled for Linux {self.architecture}: choose a version of its "
                "package that comes compiled for it, or deploy from such a machine",
                USAGE,
            )


def this_machine() -> str:
    """Return the processor of this machine."""
    return "arm64" if platform.machine().lower() in {"aarch64", "arm64"} else "x86_64"
