"""Cut the links between nodes, and mend them, without root and without a firewall.

Two Erlang nodes talk only if each presents the cookie that the other expects. Telling a node to expect
another cookie from one peer, and closing the connection, cuts exactly that link until the cookie is set back.
Each end gets a wrong cookie of its own: with the same one at both ends they would agree again
(https://www.erlang.org/doc/system/distributed.html#security). Clients' connections are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from lab_helpers.cluster.engine import LINKS_CUT, Engine
from lab_helpers.cluster.status import NodeState
from lab_helpers.errors import LabsError
from lab_helpers.settings import NODES, SPARE


def erlang_name(node: str) -> str:
    """The node's full name, quoted as an Erlang atom."""
    return f"'{node}@{node}'"


def cut(engine: Engine, side: Iterable[str]) -> None:
    """Cut every link between the nodes of one side and the others.

    Raises
    ------
    LabsError
        The sides are not two; or a node that must be told does not run.
    """
    one = set(side)
    other = set(engine.nodes) - one
    if not one or not other or not one <= set(engine.nodes):
        raise LabsError(
            f"A partition needs two sides, and {sorted(one)} of {list(engine.nodes)} leaves only one.",
            remedy='Name one or two nodes, for example lab.cluster.partition("rmq3").',
        )
    engine.mark(LINKS_CUT, present=True)
    evaluate_on(
        engine,
        {
            node: " ".join(
                f"erlang:set_cookie({erlang_name(peer)}, cut_by_{node}),"
                for peer in sorted(other if node in one else one)
            )
            for node in engine.nodes
        },
    )
    # Then all links at once, from the smaller side: were they cut one after the other, the nodes before Khepri
    # would see a partial partition in between, and answer it by cutting further links themselves
    # (https://www.rabbitmq.com/docs/partitions#partial-partitions).
    smaller, larger = sorted((one, other), key=len)
    evaluate_on(
        engine,
        {
            node: " ".join(f"erlang:disconnect_node({erlang_name(peer)})," for peer in sorted(larger))
            for node in sorted(smaller)
        },
    )


def mend(engine: Engine) -> None:
    """Set every link's cookie back and connect again, on each of the three that runs.

    The spare node goes when the cluster is mended; but the next one must not be refused because of this one.
    """
    running = [node for node in NODES if engine.process_state(node) is NodeState.BOOTING]
    peers = {node: [peer for peer in (*NODES, SPARE) if peer != node] for node in running}
    evaluate_on(
        engine,
        {
            node: " ".join(f"erlang:set_cookie({erlang_name(peer)}, erlang:get_cookie())," for peer in others)
            for node, others in peers.items()
        },
    )
    # Only now that both ends expect the right cookie can they connect.
    evaluate_on(
        engine,
        {
            node: " ".join(f"net_kernel:connect_node({erlang_name(peer)})," for peer in others if peer in running)
            for node, others in peers.items()
        },
    )
    engine.mark(LINKS_CUT, present=False)


def evaluate_on(engine: Engine, expressions: dict[str, str]) -> None:
    """Evaluate an Erlang expression on each node, on all at once."""
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(engine.ctl, node, "eval", f"{code} ok.") for node, code in expressions.items()]
    for future in waiting:
        future.result()
