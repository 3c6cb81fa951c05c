"""Which RabbitMQ has what: the features that some labs need and some versions lack."""

from __future__ import annotations

from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True)
class Feature:
    """A feature, the versions that have it, and what to use elsewhere.

    ``since`` is the first version with it and ``until`` the first one without it again, as (major, minor).
    ``source`` is the official page that says so.
    """

    title: str
    instead: str
    source: str
    since: Version = (0,)
    until: Version = (999,)

    def is_in(self, version: str) -> bool:
        """Whether a RabbitMQ of this version, as "4.3.6", has it."""
        return self.since <= parsed(version) < self.until

    @property
    def versions(self) -> str:
        """The versions that have it, in words."""
        words = []
        if self.since > (0,):
            words.append(f"from {dotted(self.since)} on")
        if self.until < (999,):
            words.append(f"before {dotted(self.until)}")
        return " and ".join(words) or "in every version"


FEATURES = {
    "mirrored-queues": Feature(
        "Mirrored classic queues",
        "Quorum queues replaced them.",
        "https://www.rabbitmq.com/docs/3.13/ha",
        until=(4, 0),
    ),
    "transient-queues": Feature(
        "Transient queues that are not exclusive",
        "Declare a queue durable, or exclusive to its connection.",
        "https://www.rabbitmq.com/docs/queues#durability",
        until=(4, 3),
    ),
    "global-prefetch": Feature(
        "A prefetch limit shared by the consumers of a channel",
        "From 4.3 on `basic.qos` with the global flag is accepted and applied to each consumer.",
        "https://www.rabbitmq.com/release-information/deprecated-features-list",
        until=(4, 3),
    ),
    "ram-nodes": Feature(
        "RAM nodes",
        "Every node keeps the metadata on disk.",
        "https://www.rabbitmq.com/docs/3.13/clustering#cluster-node-types",
        until=(4, 3),
    ),
    "delayed-retry": Feature(
        "Delayed retry of quorum queues",
        "Elsewhere a retry waits in a queue with a TTL and a dead-letter exchange.",
        "https://www.rabbitmq.com/docs/quorum-queues",
        since=(4, 3),
    ),
    "consumer-timeout": Feature(
        "A consumer timeout of a quorum queue that is kept to the second",
        "Elsewhere the broker looks once a minute, and closes the channel with 406.",
        "https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout",
        since=(4, 3),
    ),
}
"""By the name that a lab asks for: ``lab.needs("mirrored-queues")``."""


def parsed(version: str) -> Version:
    """ "4.3.6" as (4, 3)."""
    return tuple(int(part) for part in version.split("-")[0].split(".")[:2])


def dotted(version: Version) -> str:
    """(4, 3) as "4.3"."""
    return ".".join(map(str, version))
