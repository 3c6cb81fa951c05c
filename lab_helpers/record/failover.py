"""One failover as a publisher saw it: how long nothing was confirmed, and what that time went into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab_helpers.errors import LabsError


@dataclass(frozen=True)
class Part:
    """A part of the gap; times are in seconds since the fault."""

    name: str
    begins: float
    ends: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ends - self.begins


@dataclass(frozen=True)
class Failover:
    """The longest time without a confirm after a fault; all times are in seconds since the fault.

    ``detected`` is when HAProxy marked the node down, ``disconnected`` when the publisher's connection broke, and
    ``reconnected`` when it had another one; each is None where it did not happen within the gap.
    """

    last_confirm: float
    first_confirm: float
    detected: float | None = None
    disconnected: float | None = None
    reconnected: float | None = None

    @property
    def gap(self) -> float:
        """Seconds between two confirms: what a customer may have waited."""
        return self.first_confirm - self.last_confirm

    @property
    def parts(self) -> tuple[Part, ...]:
        """The gap from the fault on, cut at what happened to the connection."""
        begins = max(self.last_confirm, 0.0)
        if self.disconnected is None:
            return (Part("waiting on a connection that holds", begins, self.first_confirm),)
        made = [Part("noticing that the connection is dead", begins, self.disconnected)]
        if self.reconnected is not None:
            made.append(Part("connecting again", self.disconnected, self.reconnected))
        made.append(Part("waiting for the first confirm", made[-1].ends, self.first_confirm))
        return tuple(made)


def failover(
    fault: float,
    confirms: Sequence[float],
    *,
    detections: Sequence[float] = (),
    disconnects: Sequence[float] = (),
    reconnects: Sequence[float] = (),
) -> Failover:
    """Find the longest gap between two confirms that ends after the fault.

    Parameters
    ----------
    fault
        When the fault began; all times are of one clock, in seconds.
    confirms
        When each confirm arrived, in order.
    detections, disconnects, reconnects
        When HAProxy marked a server down, and when the publisher lost and got a connection; those outside the gap do
        not count.

    Raises
    ------
    LabsError
        Fewer than two confirms, or none after the fault: the publisher did not come through.
    """
    gaps = [(before, after) for before, after in pairwise(confirms) if after > fault]
    if not gaps:
        raise LabsError(
            "There is no confirm after the fault, so that there is no failover to measure.",
            meaning="The publisher did not come through, or ended too early.",
            remedy="Let it publish on until the broker confirms again.",
        )
    last, first = max(gaps, key=lambda gap: gap[1] - gap[0])

    def within(times: Sequence[float]) -> float | None:
        found = [time - fault for time in times if last <= time <= first]
        return found[0] if found else None

    # After several attempts it is the last connection that carries the first confirm.
    made = [time - fault for time in reconnects if last <= time <= first]
    return Failover(last - fault, first - fault, within(detections), within(disconnects), made[-1] if made else None)
