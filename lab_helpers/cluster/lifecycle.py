"""Bring the cluster up and take it down; remember which engine and ports it has meanwhile."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import filelock
import pika
from pika.exceptions import AMQPError

from lab_helpers.broker import amqp
from lab_helpers.broker.management import Management, RefusedError
from lab_helpers.broker.vhost import answers
from lab_helpers.broker.waiting import LONGEST_PAUSE, wait_until
from lab_helpers.cluster import ports
from lab_helpers.cluster.choice import choose_engine, make_engine
from lab_helpers.cluster.cluster import Cluster
from lab_helpers.cluster.engine import Report
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.cluster.memory import Remembered, forget, remember, remembered
from lab_helpers.cluster.node import LOOK_SECONDS
from lab_helpers.cluster.status import ClusterStatus, NodeState
from lab_helpers.errors import BrokerUnreachableError, LabsError
from lab_helpers.settings import SPARE, EngineName, Ports, Settings, ensure_secrets, load_settings

READY_WITHIN = 240.0
"""Seconds for the whole cluster; about 10 on 4.3 and 15 on 3.10 with two idle cores."""
APART_FOR = 45.0
"""Seconds after which ready nodes that still do not see each other count as separate clusters."""
LOOK_AT_LEAST = 3.0
"""Seconds after which all of the cluster is looked at, also where no node gave a sign: one may have died."""
RESTARTS = 3
"""How often a node that dies while the cluster comes up is started again."""
LEAST_DISK = 500_000_000
"""Bytes: three nodes need about 100 MB to start, and RabbitMQ blocks publishers below 50 MB free."""


class ApartError(LabsError):
    """The nodes are ready but do not see each other."""


def current() -> Cluster:
    """The cluster that ``labs up`` started, or the external one that the settings name.

    Raises
    ------
    LabsError
        There is none.
    """
    settings = load_settings()
    known = remembered(settings)
    if known is None:
        if settings.engine == "external":
            return Cluster(ExternalEngine(settings))
        raise LabsError(
            "No cluster is running.",
            meaning="The labs need one.",
            remedy="Run `labs up` in a terminal of this checkout (or `make start`).",
        )
    return Cluster(make_engine(known.engine, settings, Ports(known.port_base)))


def up(wanted: EngineName | None = None, report: Report = lambda line: None) -> Cluster:
    """Bring the cluster up, or find it up, and return when it can be used.

    All three nodes then see each other, the front door passes a message and the management API answers.

    Parameters
    ----------
    wanted
        The engine; chosen by what is there if None.
    report
        Takes a line of progress now and then.

    Raises
    ------
    LabsError
        Something is missing, taken, full or broken; says what and what to do.
    KeyboardInterrupt
        Passed on, after what this call had started was ended.
    """
    refuse_full_disk(load_settings())
    with alone(load_settings(), report):
        settings = ensure_secrets()
        known = remembered(settings)
        if known is not None and wanted not in (None, known.engine):
            raise LabsError(
                f"The cluster runs on the {known.engine} engine already.",
                remedy=f"Run `labs down` first, then `labs up --engine {wanted}`.",
            )
        name, why = (known.engine, "as before") if known else choose_engine(settings, wanted)
        report(f"Engine: {name} ({why})")
        with ports_for(name, known, settings) as (block, moved):
            if moved:
                report(moved)
            cluster = Cluster(make_engine(name, settings, block))
            if name != "external":
                remember(settings, name, block.base)
            try:
                bring_up(cluster, report)
            except BaseException:
                # A cluster that stood before is left for another try; a first start, also when it is
                # interrupted, leaves nothing behind.
                if known is None:
                    report("Ending what was started")
                    take_down(cluster, settings)
                raise
    return cluster


def ports_for(
    name: EngineName, known: Remembered | None, settings: Settings
) -> AbstractContextManager[tuple[Ports, str]]:
    """The block of ports, and a sentence where it is not the usual one; see :func:`ports.chosen`."""
    if known is not None:
        return nullcontext((Ports(known.port_base), ""))
    if name == "external":
        return nullcontext((Ports(), ""))
    return ports.chosen(settings.port_base, internal=name == "native")


@contextmanager
def alone(settings: Settings, report: Report) -> Iterator[None]:
    """Let one `labs up` at a time be at work in this checkout."""
    lock = filelock.FileLock(settings.state_dir / "up.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        report("Another `labs up` is at work here; waiting for it")
        lock.acquire()
    except OSError as error:
        raise LabsError(
            f"{lock.lock_file} cannot be written: {error.strerror}.",
            remedy="Give yourself the right to write there, or set LABS_STATE_DIR to another folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def bring_up(cluster: Cluster, report: Report) -> None:
    """Start what does not run, wait until the cluster is whole, and try its front door."""
    if cluster.is_ours:
        report("Starting three nodes and HAProxy")
        cluster.engine.create(report)
        try:
            await_whole(cluster, report)
        except ApartError as apart:
            # A crash while the cluster was first formed can leave separate clusters. Nothing in
            # them is worth keeping: a lab makes what it needs afresh.
            report(f"{apart.what} Building the cluster anew")
            cluster.engine.destroy()
            cluster.engine.create(report)
            await_whole(cluster, report)
        if SPARE in cluster.engine.nodes and not cluster.status().is_whole:
            report(f"Removing {SPARE}, which is no member or does not run")
            cluster.remove(SPARE)
    report("Passing a message through the front door")
    wait_until(
        lambda: passes_a_message(cluster),
        # Long enough for the metadata store to elect a leader, where the last one was lost.
        seconds=90,
        what="the front door to pass a message",
        retry_on=(AMQPError, BrokerUnreachableError),
    )
    with Management(cluster.engine.management()) as management:
        wait_until(management.version, what="the management API", retry_on=(BrokerUnreachableError,))


def await_whole(cluster: Cluster, report: Report) -> None:
    """Wait until the three nodes see each other, whatever a fourth one does; start a node that dies meanwhile again.

    Raises
    ------
    ApartError
        All nodes are ready, and stay apart.
    LabsError
        A node does not become ready; gives the end of its log.
    """
    started = time.monotonic()
    apart_since: float | None = None
    deaths = dict.fromkeys(cluster.engine.nodes, 0)
    told = ""
    while True:
        status = cluster.status().without_spare()
        if status.is_whole:
            return
        elapsed = time.monotonic() - started
        ready = [node.name for node in status.nodes if node.state is NodeState.READY]
        line = f"Waiting for the nodes: {', '.join(ready) or 'none'} ready"
        if len(ready) == len(status.nodes):
            line = "Waiting for the nodes to see each other: " + "; ".join(
                f"{node.name} sees {', '.join(sorted(node.sees)) or 'nothing yet'}" for node in status.nodes
            )
        if line != told:
            report(line)
            told = line
        if any(node.state is NodeState.READY and not node.sees for node in status.nodes):
            mend_login(cluster)
        for node in status.nodes:
            if node.state is NodeState.PAUSED:
                cluster.engine.resume(node.name)
            elif node.state is NodeState.STOPPED:
                deaths[node.name] += 1
                if deaths[node.name] > RESTARTS:
                    raise not_ready(cluster, node.name, "ends as soon as it is started")
                report(f"{node.name} is not running; starting it")
                cluster.engine.start(node.name)
        if len(ready) == len(status.nodes):
            apart_since = apart_since or elapsed
            if elapsed - apart_since > APART_FOR:
                raise ApartError(
                    "The nodes run, but have not become one cluster.",
                    remedy="Run `labs down` and `labs up` to start from nothing.",
                )
        elif elapsed > READY_WITHIN:
            late = next(node.name for node in status.nodes if node.name not in ready)
            raise not_ready(cluster, late, f"did not become ready within {READY_WITHIN:.0f} s")
        else:
            apart_since = None
        time.sleep(LONGEST_PAUSE)
        await_sign(cluster, [node.name for node in status.nodes if node.name not in ready])


def await_sign(cluster: Cluster, booting: Sequence[str]) -> None:
    """Return when one of the booting nodes answers, after :data:`LOOK_AT_LEAST`, or at once if none boots.

    To ask Docker for the state of three containers costs more processor time than this, and the nodes need it.
    """
    deadline = time.monotonic() + LOOK_AT_LEAST
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(Management(cluster.engine.management(name), timeout=LOOK_SECONDS)) for name in booting
        ]
        while nodes and not any(answers(node) for node in nodes) and time.monotonic() < deadline:
            time.sleep(LONGEST_PAUSE)


def not_ready(cluster: Cluster, name: str, what: str) -> LabsError:
    """The error for a node that does not start, with the end of its log."""
    return LabsError(
        f"{name} {what}.",
        meaning=f"The end of its log:\n{cluster.engine.log(name)}\n",
        remedy="Run `labs down` and `labs up` to start from nothing; `labs doctor` looks for causes.",
    )


def mend_login(cluster: Cluster) -> None:
    """Give the nodes the password of ``.env``, where they have another one because ``.env`` was lost."""
    for name in cluster.engine.nodes:
        address = cluster.engine.management(name)
        with Management(address, timeout=LOOK_SECONDS) as management:
            try:
                management.get("/whoami")
            except BrokerUnreachableError:
                continue
            except RefusedError as error:
                if error.status == 401 and cluster.engine.process_state(name) is NodeState.BOOTING:
                    cluster.engine.ctl(name, "change_password", address.user, address.password)
            return


def passes_a_message(cluster: Cluster) -> bool:
    """Publish one message to an exclusive queue through the front door, and get it back."""
    address = cluster.engine.management()
    with amqp.connect(cluster.amqp_url("/", address.user, address.password)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"labs up", pika.BasicProperties(), mandatory=True)
        _, _, body = channel.basic_get(queue, auto_ack=True)
        return bool(body == b"labs up")


def refuse_full_disk(settings: Settings) -> None:
    """Raise LabsError where the state folder cannot be written or its disk is nearly full."""
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.state_dir).free
    except OSError as error:
        raise LabsError(
            f"The folder {settings.state_dir} cannot be used: {error.strerror}.",
            remedy="Give yourself the right to write there, or set LABS_STATE_DIR to another folder.",
        ) from error
    if free < LEAST_DISK:
        raise LabsError(
            f"Only {free // 1_000_000} MB are free on the disk of {settings.state_dir}.",
            meaning=f"The cluster needs {LEAST_DISK // 1_000_000} MB: RabbitMQ blocks publishers on a full disk.",
            remedy="Free some space, or set LABS_STATE_DIR to a folder on another disk.",
        )


def down(report: Report = lambda line: None) -> bool:
    """Take the cluster down and delete its data. Returns whether there was one."""
    settings = load_settings()
    known = remembered(settings)
    if known is None:
        return False
    report(f"Ending the {known.engine} cluster")
    take_down(Cluster(make_engine(known.engine, ensure_secrets(), Ports(known.port_base))), settings)
    return True


def take_down(cluster: Cluster, settings: Settings) -> None:
    """End every process or container, delete what labs stored, and forget the cluster."""
    cluster.engine.destroy()
    shutil.rmtree(settings.stores, ignore_errors=True)
    forget(settings)


def status() -> ClusterStatus | None:
    """How the current cluster is, or None where there is none.

    Raises
    ------
    LabsError
        A setting cannot be used.
    """
    settings = load_settings()
    if remembered(settings) is None and settings.engine != "external":
        return None
    return current().status()
