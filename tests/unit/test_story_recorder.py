"""A recording from start to story, with a made-up tap and no broker: what goes wrong, and what is waited for."""

from __future__ import annotations

import pika
import pytest
from pamqp import base
from pamqp.commands import Channel as ChannelClass
from pamqp.commands import Connection as ConnectionClass

from lab_helpers.broker.management import Management, ManagementAddress
from lab_helpers.errors import LabsError
from lab_helpers.record.capture import Capture
from lab_helpers.record.firehose import trace_from, without_heartbeats
from lab_helpers.record.frames import decode
from lab_helpers.record.recorder import Recorder, traced_publishes
from lab_helpers.record.routing import Trace
from tests.unit.conversations import Conversation, opened

NOBODY = "http://127.0.0.1:9"


class MadeUpTap:
    """Hands over a capture, or fails at one of its two calls."""

    def __init__(self, capture: Capture, failing: str = "") -> None:
        self._capture = capture
        self.failing = failing
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.failing:
            raise LabsError("The tap has ended.")

    def start_recording(self) -> None:
        self._call("start")

    def stop_recording(self) -> Capture:
        self._call("stop")
        return self._capture


def recorder(tap: MadeUpTap, notices: list[str]) -> Recorder:
    """A recorder where no broker answers."""
    node = Management(ManagementAddress(NOBODY, "shop", "secret"))
    return Recorder(tap, [node], "04", lambda: "amqp://shop:secret@127.0.0.1:9/04", notices.append)


def test_without_a_broker_there_is_a_story() -> None:
    made = opened()
    made.publish(b"a")
    notices: list[str] = []
    own = recorder(MadeUpTap(made.capture), notices)
    for _ in range(2):
        own.start()
        story = own.stop()
        assert [event.queues for event in story.published()] == [None]
        assert story.topology is None
    # Said once, and without a password.
    assert len(notices) == 1
    assert "secret" not in notices[0]


def test_one_recording_at_a_time() -> None:
    own = recorder(MadeUpTap(Capture()), [])
    with pytest.raises(LabsError, match="No recording runs"):
        own.stop()
    own.start()
    assert own.is_recording
    with pytest.raises(LabsError, match="runs already"):
        own.start()
    own.stop()
    assert not own.is_recording


@pytest.mark.parametrize("failing", ["start", "stop"])
def test_a_tap_that_has_ended_leaves_no_recording(failing: str) -> None:
    tap = MadeUpTap(Capture(), failing)
    own = recorder(tap, [])

    def record() -> None:
        own.start()
        own.stop()

    with pytest.raises(LabsError, match="The tap has ended"):
        record()
    assert not own.is_recording
    tap.failing = ""
    own.start()
    own.stop()


PROPER = (200, "Normal shutdown", 0, 0)


@pytest.mark.parametrize(
    ("end", "from_client", "channel", "expected"),
    [
        (None, True, 1, 3),
        (ChannelClass.Close(*PROPER), True, 1, 3),
        (ConnectionClass.Close(*PROPER), True, 0, 3),
        (ChannelClass.Close(406, "PRECONDITION_FAILED", 60, 80), False, 1, 3),
        (ChannelClass.Close(404, "NOT_FOUND", 60, 40), False, 1, 1),
        (ConnectionClass.Close(501, "FRAME_ERROR", 60, 40), False, 0, 0),
    ],
)
def test_how_many_traces_are_waited_for(end: base.Frame | None, from_client: bool, channel: int, expected: int) -> None:
    made = Conversation()
    made.connect()
    made.publish(b"early")
    made.record_from_here()
    made.open_channel(2)
    made.publish(b"a")
    made.publish(b"b")
    made.publish(b"c", channel=2)
    if end is not None:
        (made.client if from_client else made.broker)(end, channel=channel)
    assert traced_publishes(decode(made.capture)) == expected


def test_a_lost_connections_publishes_are_not_waited_for() -> None:
    made = opened()
    made.publish(b"a")
    made.end(reset=True)
    assert traced_publishes(decode(made.capture)) == 0


def test_a_trace() -> None:
    headers = {
        "exchange_name": "shop",
        "routing_keys": ["eu", "cc"],
        "routed_queues": ["books"],
        "properties": {"headers": {"raw": b"\xff"}},
        "node": "rmq1@rmq1",
        "connection": "127.0.0.1:1 -> 127.0.0.1:2",
        "channel": 3,
        "user": "04",
    }
    assert trace_from(headers, b"a") == Trace(
        "shop",
        ("eu", "cc"),
        ("books",),
        "rmq1@rmq1",
        "127.0.0.1:1 -> 127.0.0.1:2",
        3,
        "04",
        b"a",
        {"headers": {"raw": "ff"}},
    )
    assert trace_from({}, b"").queues is None


@pytest.mark.parametrize("url", ["amqp://u:p@127.0.0.1:5672/04", "amqp://u:p@127.0.0.1:5672/04?frame_max=8192"])
def test_the_firehoses_connection_needs_no_heartbeats(url: str) -> None:
    parameters = pika.URLParameters(without_heartbeats(url))
    assert (parameters.heartbeat, parameters.virtual_host) == (0, "04")
