"""Which of pytest-xdist's processes tests what, where tests share a cluster."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


def parameters(nodeid: str) -> list[str]:
    """A test's parameters: its id ends with them, as in ``test_x[native-04_direct_exchange]``."""
    return nodeid.rpartition("[")[2].rstrip("]").split("-")


class ByEngine(LoadScopeScheduling):
    """Gives all tests of one engine to the same process: they have its cluster to themselves."""

    def _split_scope(self, nodeid: str) -> str:
        # What has no engine among its parameters makes a cluster of its own by compose.
        return "native" if "native" in parameters(nodeid) else "compose"


class ByLab(LoadScopeScheduling):
    """Gives all tests of one lab on one engine to the same process: they share its virtual host."""

    def _split_scope(self, nodeid: str) -> str:
        return "-".join(parameters(nodeid))
