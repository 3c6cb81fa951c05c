"""Waiting for events of many descriptors.

The tap's process imports this: standard library only.
"""

from __future__ import annotations

import select

IN, OUT = select.POLLIN, select.POLLOUT
HAS_EPOLL = hasattr(select, "epoll")


class Poller:
    """``epoll``, or ``poll`` where there is none: the events of all descriptors, which mean the same in both."""

    def __init__(self) -> None:
        self._poller = select.epoll() if HAS_EPOLL else select.poll()
        self.register = self._poller.register
        self.modify = self._poller.modify
        self.unregister = self._poller.unregister

    def wait(self, seconds: float) -> dict[int, int]:
        """Wait for events, and give those of each descriptor."""
        return dict(self._poller.poll(seconds if HAS_EPOLL else seconds * 1000))
