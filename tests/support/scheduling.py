"""Which tests run beside each other where pytest has more than one process, as in `make test`.

A file's tests stay together, for they share what they have started; so do all of a folder whose
tests share servers that are slow to start. The cluster's tests begin when all others have ended,
or nearly: they measure a machine that does nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

__all__ = ["FileScheduling", "place"]

_FIRST, _LAST = "tests/gateway/event_sources/", "tests/e2e/"


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a process all tests of a file, or of a folder; the cluster's to the last process."""

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        others = [one for one in self.nodes if one is not node and not one.shutting_down]
        if others and list(self.workqueue) == [_LAST]:
            node.shutdown()
        else:
            super()._reschedule(node)


def place(nodeid: str) -> int:
    """Return when a test should begin, in order: what takes longest first, the cluster's last."""
    return {_FIRST: 0, _LAST: 2}.get(_together(nodeid), 1)


def _together(nodeid: str) -> str:
    """Return the folder or file whose tests run in one process."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in (_FIRST, _LAST) if file.startswith(folder)), file)
