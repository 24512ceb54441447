"""Runtime families: what the platform must know of each language, one object a family.

A family is a file here and stands in `FAMILIES`; nothing else asks for one by name. Its other half,
how its processes are started, is `pilotlight_agent.runtimes`. Families of which no image runs yet
are known by their ids (`known`), so that a function of theirs is told why it does not run.
"""

from __future__ import annotations

from .bootstrap import Bootstrap
from .family import Family, Handler, Sources
from .java import Java
from .known import DOTNET, GO
from .node import Node
from .python import OWN_PYTHON, Python
from .ruby import Ruby

__all__ = [
    "DEPRECATED_RUNTIMES",
    "FAMILIES",
    "ONE_CALL_RUNTIMES",
    "OWN_PYTHON",
    "RUNTIMES",
    "Family",
    "Handler",
    "Sources",
    "family_of",
]

FAMILIES: tuple[Family, ...] = (Bootstrap(), Python(), Node(), Java(), Ruby(), DOTNET, GO)
"""In the order in which a new function's code is looked at."""
DEPRECATED_RUNTIMES = frozenset[str]().union(*(family.deprecated for family in FAMILIES))
RUNTIMES = DEPRECATED_RUNTIMES.union(*(family.supported for family in FAMILIES))
"""Every id that Lambda's API accepts (botocore's Lambda model)."""
ONE_CALL_RUNTIMES = frozenset[str]().union(*(family.one_call for family in FAMILIES))
"""Those whose environments take one call at a time, whatever a function asks for. Java's and
Node.js' older ones as Lambda has it (AWS Lambda Developer Guide, "Lambda Managed Instances
runtimes")."""
_UNKNOWN = Family(prefix="", supported=frozenset())


def family_of(runtime: str) -> Family:
    """Return a runtime's family by its id; one that can nothing for an id that nobody knows."""
    return next((family for family in FAMILIES if runtime.startswith(family.prefix)), _UNKNOWN)
