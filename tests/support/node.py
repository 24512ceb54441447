"""The Node.js that functions of a runtime get in local mode, for tests of the runtime itself.

Without a network a test that needs one that is not there yet is skipped, unless it runs in CI.
"""

from __future__ import annotations

import os
from functools import cache

import pytest

from pilotlight.errors import StartFailedError
from pilotlight_local.environments import cache_folder
from pilotlight_local.nodes import Nodes

__all__ = ["node_of"]


@cache
def node_of(runtime: str) -> str:
    """Return the interpreter of a runtime such as nodejs24.x."""
    try:
        return str(Nodes(cache_folder(), print).find(runtime).path)
    except StartFailedError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
