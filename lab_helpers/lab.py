"""The one object a notebook holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from IPython.display import display

from lab_helpers import accounting, database
from lab_helpers.broker import topology as broker_topology
from lab_helpers.broker import vhost, waiting
from lab_helpers.broker.amqp import queue_depths
from lab_helpers.broker.features import FEATURES
from lab_helpers.broker.placement import placements
from lab_helpers.cluster import Cluster, lifecycle
from lab_helpers.cluster.front_door import FrontDoor
from lab_helpers.cluster.redis_server import redis_url
from lab_helpers.draw.card import Card
from lab_helpers.draw.picture import Picture
from lab_helpers.draw.topology import topology_picture
from lab_helpers.errors import LabsError, NotPossibleHereError
from lab_helpers.exercises import Bench
from lab_helpers.exercises.progress import Progress
from lab_helpers.guidance import Guidance
from lab_helpers.overview import Overview
from lab_helpers.record.ledger import Ledger
from lab_helpers.record.recorder import Recorder
from lab_helpers.record.story import Story
from lab_helpers.record.tap import Tap
from lab_helpers.recording import Recording, recording
from lab_helpers.settings import ROOT, load_settings

T = TypeVar("T")

OWN_NODES = {
    "break-nodes": "stops or breaks nodes",
    "node-commands": "runs `rabbitmqctl` on a node",
}
"""What only a cluster of our own lets a lab do, by the name that :meth:`Lab.needs` takes."""


class Lab(Overview, Guidance):
    """A lab at work: a clean virtual host of its own, and the means to look at it.

    Making it again, also half-way through the lab, gives a clean start: faults of the cluster are healed, the
    virtual host is deleted and made afresh, and nothing outside it is touched.

    Parameters
    ----------
    slug
        The lab's name, as in ``labs/src``: "04_direct_exchange".

    Raises
    ------
    LabsError
        There is no such lab; or no cluster is running.
    """

    def __init__(self, slug: str) -> None:
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", slug) or not (ROOT / "labs" / "src" / slug).is_dir():
            raise LabsError(
                f"There is no lab {slug!r}.",
                remedy='A lab is named as its notebook, for example "00_start_here".',
            )
        settings = load_settings()
        self.cluster: Cluster = lifecycle.current()
        """The nodes: ``lab.cluster["rmq2"].kill()``, ``.stop()``, ``.start()``, ``.pause()``, ``.resume()``."""
        self.cluster.heal()
        self.cluster.engine.close_door()
        self.vhost = settings.vhost_prefix + slug
        """The lab's virtual host; its user has the same name."""
        self._nodes = self.cluster.managements()
        self._password = vhost.make_afresh(self._nodes, self.vhost)
        self._tap = Tap(self.cluster.engine.amqp()) if self.cluster.engine.amqp_scheme == "amqp" else None
        # The notebook may make this lab again. The garbage collector ends the old one's tap, and waits for no thread:
        # it may have interrupted the start of another, in a moment in which no thread can end.
        self._recorder = Recorder(self._tap, self._nodes, self.vhost, self._own_url) if self._tap else None
        self._stories: dict[str, Story] = {}
        """What was recorded for an exercise, by its name: an older story does not count for it."""
        self._ledgers: dict[str, Ledger] = {}
        """What was counted for an exercise, by its name."""
        super().__init__(slug, Progress(settings.progress_file or settings.state_dir / "progress.json"), self._judged)
        self._version = self._nodes[0].version()
        display(
            Card(
                "note",
                f"Lab {slug[:2]} is ready",
                "It has a clean virtual host of its own, "
                f"`{self.vhost}`, on the cluster {', '.join(self.cluster.engine.nodes)}.",
                label="Set up",
            )
        )

    def __repr__(self) -> str:
        return f"<Lab {self.slug}>"

    @property
    def url(self) -> str:
        """The AMQP URL of the lab's virtual host, for ``pika.URLParameters(lab.url)``.

        It leads through the tap, which passes everything on and keeps it while :meth:`record` asks for it, and
        through the front door to a node.
        """
        through = self._tap.address if self._tap else None
        return self.cluster.amqp_url(self.vhost, self.vhost, self._password, through)

    def another_vhost(self, name: str) -> str:
        """Make one more virtual host, afresh, and return its AMQP URL.

        Parameters
        ----------
        name
            Short; the virtual host's own name has the lab's before it: "02_amqp_frame_by_frame.annex".
        """
        full = f"{self.vhost}.{name}"
        password = vhost.make_afresh(self._nodes, full)
        return self.cluster.amqp_url(full, full, password, self._tap.address if self._tap else None)

    def redis(self) -> str:
        """Start Redis beside the cluster where it does not run, and return the URL for ``redis.Redis.from_url``.

        Raises
        ------
        LabsError
            There is none here; says what to install or to set.
        """
        return redis_url(self.cluster.engine)

    def database(self) -> str:
        """The URL of a database for this lab, as ``sqlalchemy.create_engine`` takes it.

        It is a SQLite file that goes with the cluster, or what ``LABS_DATABASE_URL`` names.

        Raises
        ------
        LabsError
            That one cannot be reached; says why.
        """
        return database.reached(load_settings(), self.vhost)

    def front_door(self, backend: str) -> FrontDoor:
        """Start a second HAProxy in front of the nodes, with a backend of your own, in place of one that runs.

        Parameters
        ----------
        backend
            The section ``backend amqp_nodes`` of its configuration.

        Raises
        ------
        LabsError
            HAProxy refuses it; says its reason.
        """
        return FrontDoor(self.cluster.engine, backend)

    def through(self, address: str) -> str:
        """The AMQP URL of the lab's virtual host by way of an address "host:port": a node's, or a front door's."""
        return self.cluster.amqp_url(self.vhost, self.vhost, self._password, address)

    def record(self, exercise: str = "") -> AbstractContextManager[Recording]:
        """Record what clients and broker say to each other in a ``with`` block.

        Parameters
        ----------
        exercise
            The exercise that this is an answer to, if any: its check then reads the story.

        Raises
        ------
        LabsError
            Another recording runs; or the connection is encrypted, so that there is nothing to read.
        """
        if exercise:
            self._exercise(exercise)
            self._stories.pop(exercise, None)
        if self._recorder is None:
            raise LabsError(
                "Nothing can be recorded: this cluster's AMQP URL begins with amqps, and what passes is encrypted.",
                remedy="Use a cluster with a plain AMQP listener, for example `labs up` on your own machine.",
            )

        def finished(story: Story) -> None:
            if exercise:
                self._stories[exercise] = story

        return recording(self._recorder, finished)

    def ledger(self, *stories: Recording | Story, exercise: str = "") -> accounting.Account:
        """Open a ledger: what was sent, confirmed, received and acknowledged, message by message, with its verdict.

        Parameters
        ----------
        stories
            Recordings to fill it from; without any it is empty, and your program fills it.
        exercise
            The exercise that this is an answer to, if any: its check reads this ledger, and not the story that
            :meth:`record` keeps for the exercise.

        Raises
        ------
        LabsError
            A recording is not over or not complete; or there is no such exercise.
        """
        if exercise:
            self._exercise(exercise)
        made = accounting.account(stories)
        if exercise:
            self._ledgers[exercise] = made
        return made

    def drain(self, ledger: Ledger, *queues: str, seconds: float = 30.0) -> int:
        """Take what is left in queues through every node that is up, and note it in a ledger as received and acked.

        Close your own channels first: what a client holds unacknowledged cannot be taken.

        Parameters
        ----------
        ledger
            Takes the notes; a message is known by its ``message_id``, else by its body as text.
        queues
            The names of classic or quorum queues.
        seconds
            For the whole.

        Returns
        -------
        int
            How many messages were taken.

        Raises
        ------
        LabsError
            A queue's node is down, there is no such queue, or it is not empty after ``seconds``.
        """

        return sum(accounting.drain(ledger, queues, self.cluster, self.vhost, self.through, seconds).values())

    @property
    def version(self) -> str:
        """RabbitMQ's version, as "4.3.6"."""
        return self._version

    def topology(self, *, default_exchange: bool = False) -> Picture:
        """The exchanges, bindings and queues that exist now, as a picture.

        Parameters
        ----------
        default_exchange
            Whether to draw the default exchange and its implicit bindings too.
        """
        snapshot = broker_topology.snapshot(self._nodes, self.vhost, queue_depths(self._own_url))
        return topology_picture(snapshot.declared(default_exchange=default_exchange))

    def wait_until(self, condition: Callable[[], T], seconds: float = 10.0) -> T:
        """Poll a condition until it is true, and return its value.

        Raises
        ------
        LabsError
            It was not true within ``seconds``.
        """
        return waiting.wait_until(condition, seconds=seconds)

    def depth(self, queue: str) -> int:
        """How many messages are ready in a queue now.

        Raises
        ------
        LabsError
            There is no such queue, or its node is down.
        """
        place = placements(self._nodes, self.vhost).get(queue)
        # The broker may answer for a classic queue of a killed node only after a minute, so it is not asked.
        is_down = place is not None and place.type == "classic" and not place.leader
        known = {} if is_down else queue_depths(self._own_url)([queue])
        if queue not in known:
            raise LabsError(
                f"The queue {queue!r} cannot be asked: it is not in this lab's virtual host, or its node is down.",
                remedy="Run the cell that declares it, correct its name, or look at `lab.status()`.",
            )
        return known[queue][0]

    def needs(self, feature: str) -> bool:
        """Whether the cluster has a feature; if not, say which version has it and what replaced it.

        Parameters
        ----------
        feature
            A name of :data:`lab_helpers.broker.features.FEATURES` or of :data:`OWN_NODES`, or "redis".

        Raises
        ------
        LabsError
            There is no feature of that name.
        """
        if feature == "redis":
            return self._has_redis()
        if feature in OWN_NODES:
            if not self.cluster.is_ours:
                display(
                    Card(
                        "note",
                        "Not on this cluster",
                        f"This part {OWN_NODES[feature]}, and the cluster is somebody else's. Read on; to see it live, "
                        "run `labs up` on your own machine.",
                    )
                )
            return self.cluster.is_ours
        if feature not in FEATURES:
            raise LabsError(
                f"No feature is called {feature!r}.",
                remedy=f"There are: {', '.join(sorted([*FEATURES, *OWN_NODES, 'redis']))}.",
            )
        wanted = FEATURES[feature]
        present = wanted.is_in(self._version)
        if not present:
            display(
                Card(
                    "note",
                    f"{wanted.title}: not in RabbitMQ {self._version}",
                    f"Only RabbitMQ {wanted.versions} has this. {wanted.instead} See {wanted.source}",
                    label="Version",
                )
            )
        return present

    def _has_redis(self) -> bool:
        try:
            self.redis()
        except NotPossibleHereError as missing:
            display(Card("note", "No Redis here", f"{missing} Read on: the outputs are on the course's pages."))
            return False
        return True

    def _judged(self, exercise: str) -> Bench:
        return Bench(self.cluster, self._nodes, self.vhost, self._stories.get(exercise), self._ledgers.get(exercise))

    def _own_url(self) -> str:
        """The URL by which this object looks at the broker itself: past the tap, so that no story tells of it."""
        return self.cluster.amqp_url(self.vhost, self.vhost, self._password)
