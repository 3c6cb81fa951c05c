"""Where queues live and how HAProxy holds the nodes, on each engine, while nodes come and go."""

from __future__ import annotations

import time

import pika
import pytest

from lab_helpers import Lab, LabsError
from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.haproxy import ServerState
from lab_helpers.errors import BrokerUnreachableError

NAMES = ("rmq1", "rmq2", "rmq3")


def declare(lab: Lab, **types: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(lab.url)) as connection:
        for name, kind in types.items():
            connection.channel().queue_declare(name, durable=True, arguments={"x-queue-type": kind})


def test_where_queues_live_follows_a_node_that_dies_and_comes_back(cluster: Cluster) -> None:
    lab = Lab("00_start_here")
    # No other test has a queue of this name: where the last one was deleted just before, the member of a node of 3.10
    # that is killed within a second does not come back ("could not be restarted {error,enoent}").
    declare(lab, placed="quorum", lyon="classic")
    placed, lyon = lab.placement("placed"), lab.placement("lyon")
    assert placed.members == placed.online == NAMES
    assert lyon.members == (lyon.leader,)
    killed = lyon.leader
    cluster[killed].kill()
    wait_until(lambda: lab.placement("placed").leader not in ("", killed), seconds=60, what="a new leader")
    survivors = tuple(name for name in NAMES if name != killed)
    assert lab.placement("placed").online == survivors
    assert lab.placement("lyon").leader == ""
    words = str(lab.status("placed", "lyon"))
    assert f"{killed} (not online)" in words
    assert f"queue lyon (classic): on {killed}, which is down" in words
    # 4.3 lets whoever asks for such a queue wait a minute.
    began = time.monotonic()
    with pytest.raises(LabsError, match="its node is down"):
        lab.depth("lyon")
    assert time.monotonic() - began < 10

    def look() -> float:
        began = time.monotonic()
        assert "lyon" in str(lab.topology())
        return time.monotonic() - began

    # Where the dead node led the metadata store, nobody is let in before there is another leader.
    assert wait_until(look, seconds=90, what="a look at the queues", retry_on=(BrokerUnreachableError,)) < 10
    cluster.heal()
    wait_until(lambda: lab.placement("placed").online == NAMES, seconds=60, what="all members")
    assert lab.placement("lyon").leader == killed


def test_a_queue_that_is_not_there_is_a_sentence(cluster: Cluster) -> None:
    with pytest.raises(LabsError, match="no queue 'oders'"):
        Lab("00_start_here").status("oders")


def test_haproxy_sees_a_node_go_and_come(cluster: Cluster) -> None:
    lab = Lab("00_start_here")

    def states() -> dict[str, ServerState]:
        return {server.name: server.state for server in lab.servers()}

    wait_until(lambda: set(states().values()) == {ServerState.UP}, seconds=30, what="HAProxy to see three nodes")
    cluster["rmq2"].stop()
    wait_until(lambda: states()["rmq2"] is ServerState.DOWN, seconds=30, what="HAProxy to see rmq2 go")
    assert "HAProxy: rmq1 up, rmq2 down, rmq3 up" in str(lab.status(front_door=True))
    cluster["rmq2"].start()
    wait_until(lambda: states() == dict.fromkeys(NAMES, ServerState.UP), seconds=30, what="HAProxy to see it come")


def test_a_stream_has_its_members_too(cluster: Cluster) -> None:
    """3.10 tells them only of a stream that is asked for alone."""
    lab = Lab("00_start_here")
    declare(lab, log="stream")
    wait_until(lambda: lab.placement("log").online == NAMES, seconds=30, what="the stream's members")
    placed = lab.placement("log")
    assert placed.members == NAMES
    assert placed.leader in NAMES
    assert f"queue log (stream): {placed.leader} leads, copies on" in str(lab.status("log"))
