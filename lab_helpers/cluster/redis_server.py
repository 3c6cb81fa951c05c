"""Redis beside the cluster, for the labs on what a consumer remembers."""

from __future__ import annotations

import filelock
import redis

from lab_helpers.broker.waiting import wait_until
from lab_helpers.cluster.engine import Engine
from lab_helpers.errors import LabsError

ANSWERS_WITHIN = 30.0
"""Seconds for a Redis that was just started; it takes less than one on an idle machine."""


class WrongPasswordError(LabsError):
    """Redis runs, and wants another password."""


def redis_url(engine: Engine) -> str:
    """Start Redis where it does not run, wait until it answers, and return its URL.

    Raises
    ------
    LabsError
        There is none here, or it does not answer; says what to do.
    """
    # Two notebooks may ask at the same moment, and one server is enough: of a second one nobody would know.
    with filelock.FileLock(engine.settings.state_dir / "redis.lock"):
        try:
            return answering(engine)
        except WrongPasswordError:
            # Ours has the one of an .env that was lost since. It keeps nothing that outlives the cluster: begin anew.
            engine.end_redis()
            return answering(engine)


def answering(engine: Engine) -> str:
    """Start Redis where it does not run, and return its URL when it answers.

    Raises
    ------
    WrongPasswordError
        It does not take our login.
    LabsError
        There is none here, or it does not answer.
    """
    url = engine.redis()
    with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
        wait_until(
            lambda: answers(client),
            seconds=ANSWERS_WITHIN,
            what="Redis to answer",
            retry_on=(redis.ConnectionError, redis.TimeoutError),
        )
    return url


def answers(client: redis.Redis) -> bool:
    """Whether Redis answers; raises WrongPasswordError where it does not take our login."""
    try:
        return bool(client.ping())
    except redis.AuthenticationError as error:
        raise WrongPasswordError(
            "Redis runs, and wants another password.",
            remedy="Correct LABS_REDIS_URL, redis://:password@host:port/0, where the cluster is somebody else's; else "
            "run `labs down` and `labs up` in a terminal. Then run the lab's first cell.",
        ) from error
