"""A recording from its start to its story: the tap, the firehose and the topology at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from pamqp.commands import Basic
from pamqp.commands import Channel as ChannelClass
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.broker import topology
from lab_helpers.broker.management import Management
from lab_helpers.broker.topology import Topology
from lab_helpers.errors import LabsError
from lab_helpers.record.capture import Capture
from lab_helpers.record.firehose import Firehose
from lab_helpers.record.frames import Piece, decode
from lab_helpers.record.reading import story_of
from lab_helpers.record.story import Story

PUBLISH = (60, 40)
"""What ``channel.close`` and ``connection.close`` name as the method that was an error: ``basic.publish``."""


class Recording(Protocol):
    """What is needed of the tap."""

    def start_recording(self) -> object:
        """Keep the bytes that pass from now on."""

    def stop_recording(self) -> Capture:
        """Give what was kept, and keep nothing more."""


class Recorder:
    """Records what clients and the broker say to each other.

    Parameters
    ----------
    tap
        What the clients' connections pass through.
    nodes
        The management API of each node, with a login that may change virtual hosts.
    vhost
        The virtual host that the clients use.
    url
        Called for the AMQP URL of the firehose's connection, which must not go through the tap.
    notice
        Told, once for each sentence, what could not be recorded.
    """

    def __init__(
        self,
        tap: Recording,
        nodes: Sequence[Management],
        vhost: str,
        url: Callable[[], str],
        notice: Callable[[str], None] = print,
    ) -> None:
        self._tap = tap
        self._nodes = nodes
        self._vhost = vhost
        self._url = url
        self._notice = notice
        self._noticed: set[str] = set()
        self._firehose: Firehose | None = None
        self._existing: frozenset[str] | None = None

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs."""
        return self._firehose is not None

    def start(self) -> None:
        """Begin a recording.

        Raises
        ------
        LabsError
            Another recording runs, or the tap's process has ended.
        """
        if self._firehose is not None:
            raise LabsError("A recording runs already.", remedy="End it first: only one `with lab.record()` at a time.")
        firehose = Firehose(self._nodes, self._vhost, self._url, self._notice_once)
        firehose.start()
        try:
            before = self._topology()
            self._existing = frozenset(queue.name for queue in before.queues) if before else None
            self._tap.start_recording()
        except BaseException:
            firehose.stop(0)
            raise
        self._firehose = firehose

    def stop(self) -> Story:
        """End the recording and read its story.

        The story is made also where the broker went away meanwhile, with what is known.

        Raises
        ------
        LabsError
            No recording runs, or the tap's process has ended.
        """
        firehose, self._firehose = self._firehose, None
        if firehose is None:
            raise LabsError("No recording runs.", remedy="Begin one: `with lab.record() as story:`.")
        expected = 0
        traces = None
        try:
            capture = self._tap.stop_recording()
            pieces = decode(capture)
            expected = traced_publishes(pieces)
        finally:
            traces = firehose.stop(expected)
        after = self._topology()
        return story_of(
            pieces,
            traces,
            existing=self._existing,
            topology=after.declared() if after else None,
            lost_bytes=capture.lost_bytes,
        )

    def _topology(self) -> Topology | None:
        """What exists now; None where no node tells."""
        try:
            return topology.snapshot(self._nodes, self._vhost)
        except LabsError:
            return None

    def _notice_once(self, sentence: str) -> None:
        if sentence not in self._noticed:
            self._noticed.add(sentence)
            self._notice(sentence)


def traced_publishes(pieces: Sequence[Piece]) -> int:
    """How many publishes the firehose must have seen.

    Where a publish was an error or the connection was lost, some before it may not have been read; those are not
    waited for.
    """
    open_: Counter[tuple[int, int]] = Counter()
    count = 0
    for piece in pieces:
        if piece.at < 0:
            continue
        if isinstance(piece.value, Basic.Publish):
            open_[piece.connection, piece.channel] += 1
        elif isinstance(piece.value, ChannelClass.Close | ConnectionClass.Close) or piece.kind is None:
            # What ends on channel 0 is the connection.
            ended = [place for place in open_ if place[0] == piece.connection and piece.channel in (0, place[1])]
            sent = sum(open_.pop(place) for place in ended)
            by_error = piece.kind is None or (piece.value.class_id, piece.value.method_id) == PUBLISH
            count += 0 if by_error else sent
    return count + open_.total()
