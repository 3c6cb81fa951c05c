"""What nbval compares: the words of an output. Its drawn forms differ between versions of the drawing programs."""

from __future__ import annotations

import pytest
from nbval.plugin import IPyNbFile

from lab_helpers.draw.flow import FLOW

DRAWN = ("image/svg+xml", "text/html", FLOW)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave the drawn forms out of the comparison; each comes with text/plain that says the same."""
    if isinstance(collector, IPyNbFile):
        collector.skip_compare = (*collector.skip_compare, *DRAWN)
