"""A lab's own virtual host and user, made afresh."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import httpx

from lab_helpers.broker.management import Management, ManagementAddress, RefusedError, path
from lab_helpers.broker.waiting import wait_until
from lab_helpers.errors import BrokerUnreachableError

READY_WITHIN = 30.0
"""Seconds for a new virtual host to run on every node; usually far below one."""


def make_afresh(nodes: Sequence[Management], vhost: str) -> str:
    """Delete the virtual host with everything in it, make it again, and give it a user of its own.

    The user has the virtual host's name, full permissions there and none elsewhere, so that a lab
    cannot touch what is not its own.

    Parameters
    ----------
    nodes
        The management API of each node. The first one that answers is asked to make it, and the virtual host
        is ready when every one that answers accepts the new user.
    vhost
        Its name.

    Returns
    -------
    str
        The user's new password.

    Raises
    ------
    BrokerUnreachableError
        No node answers.
    RefusedError
        The login may not make virtual hosts.
    """
    answering = [node for node in nodes if answers(node)]
    if not answering:
        raise BrokerUnreachableError(
            f"No management API answers at {', '.join(node.address.url for node in nodes)}.",
            meaning="The cluster is not running.",
            remedy="Run `labs up` in a terminal.",
        )
    management = answering[0]
    password = secrets.token_hex(16)
    management.delete(path("vhosts", vhost))
    management.put(path("vhosts", vhost), {"description": "A lab's own: made afresh by its first cell"})
    management.put(path("users", vhost), {"password": password, "tags": "management"})
    management.put(path("permissions", vhost, vhost), {"configure": ".*", "write": ".*", "read": ".*"})
    for node in answering:
        wait_until(
            lambda node=node: is_ready_on(node, vhost, password),  # type: ignore[misc]
            seconds=READY_WITHIN,
            what=f"the virtual host {vhost} to run on every node",
            retry_on=(RefusedError, BrokerUnreachableError),
        )
    return password


def remove(management: Management, vhost: str) -> None:
    """Delete the virtual host and its user."""
    management.delete(path("vhosts", vhost))
    management.delete(path("users", vhost))


def answers(node: Management) -> bool:
    """Whether this management API can be reached at all, also where it refuses the login."""
    try:
        node.get("/whoami")
    except RefusedError:
        pass
    except BrokerUnreachableError:
        return False
    return True


def is_ready_on(node: Management, vhost: str, password: str) -> bool:
    """Whether this node knows the new user and runs the virtual host."""
    states = node.get(path("vhosts", vhost))["cluster_state"]
    if set(states.values()) != {"running"}:
        return False
    with Management(ManagementAddress(node.address.url, vhost, password)) as as_user:
        try:
            as_user.get("/whoami")
        except RefusedError as error:
            if error.status == httpx.codes.UNAUTHORIZED:
                return False
            raise
    return True
