"""Where everything is: folders, ports and credentials.

A value comes from the environment (``LABS_*``), else from ``.env`` in the checkout, else from its default here.
The password and the Erlang cookie are made at random by the first ``labs up`` and kept in ``.env`` only.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import dotenv
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lab_helpers.errors import LabsError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the folder that holds ``docker-compose.yml`` and ``labs/``."""

NODES = ("rmq1", "rmq2", "rmq3")
"""The cluster's nodes. Each is ``rmqN@rmqN`` to Erlang, with either engine."""

SPARE = "rmq4"
"""A node that is no member of the cluster: a lab adds it, and the learner joins it by hand."""

EngineName = Literal["compose", "native", "external"]


@dataclass(frozen=True)
class Ports:
    """A block of ports on 127.0.0.1, all derived from the front door's AMQP port.

    With the usual base 5672: AMQP 5672 in front of 5673–5675 (5676 the spare node), management 15672 in front of
    15673–15675 (15676), HAProxy's statistics on 8404, Redis on 5680. The native engine also uses 25672 (epmd) and
    25673–25676 (between the nodes).
    """

    base: int = 5672

    STEP = 10
    """How far the next free block lies from the one that is taken."""

    @property
    def amqp(self) -> int:
        """The front door: AMQP through HAProxy."""
        return self.base

    @property
    def management(self) -> int:
        """The management console and API through HAProxy."""
        return self.base + 10_000

    @property
    def statistics(self) -> int:
        """HAProxy's statistics page."""
        return self.base + 2_732

    @property
    def epmd(self) -> int:
        """The name server of the native engine's Erlang nodes."""
        return self.base + 20_000

    @property
    def claim(self) -> int:
        """Held while a cluster comes up in this block, so that no other takes the block meanwhile."""
        return self.base + 9

    @property
    def door(self) -> int:
        """The second HAProxy, which only runs when a lab asks for it."""
        return self.base + 5

    @property
    def door_statistics(self) -> int:
        """The second HAProxy's statistics page."""
        return self.statistics + 1

    @property
    def redis(self) -> int:
        """Redis, which only runs when a lab asks for it."""
        return self.base + 8

    def node_amqp(self, node: str) -> int:
        """One node's own AMQP port."""
        return self.amqp + number(node)

    def node_management(self, node: str) -> int:
        """One node's own management port."""
        return self.management + number(node)

    def node_distribution(self, node: str) -> int:
        """The port on which the native engine's nodes talk to each other."""
        return self.epmd + number(node)

    def published(self) -> dict[str, int]:
        """Every port that a learner may use, by the name ``docker-compose.yml`` gives it."""
        ports = {
            "LABS_AMQP_PORT": self.amqp,
            "LABS_MANAGEMENT_PORT": self.management,
            "LABS_STATISTICS_PORT": self.statistics,
            "LABS_REDIS_PORT": self.redis,
            "LABS_DOOR_AMQP_PORT": self.door,
            "LABS_DOOR_STATISTICS_PORT": self.door_statistics,
        }
        for node in (*NODES, SPARE):
            ports[f"LABS_{node.upper()}_AMQP_PORT"] = self.node_amqp(node)
            ports[f"LABS_{node.upper()}_MANAGEMENT_PORT"] = self.node_management(node)
        return ports

    def internal(self) -> dict[str, int]:
        """The ports that only the native engine's nodes use among themselves."""
        return {"epmd": self.epmd, **{f"{node} distribution": self.node_distribution(node) for node in (*NODES, SPARE)}}


def number(node: str) -> int:
    """A node's place in the block of ports: 1 for "rmq1"."""
    return (*NODES, SPARE).index(node) + 1


class Settings(BaseSettings):
    """Everything that can be set, each by an environment variable ``LABS_<NAME>`` or in ``.env``."""

    model_config = SettingsConfigDict(env_prefix="LABS_", extra="ignore")

    engine: Literal["auto", "compose", "native", "external"] = "auto"
    """How the cluster runs; ``auto`` takes compose where a Docker Engine answers, else native."""
    port_base: int | None = Field(default=None, ge=1024, le=45_000)
    """Fixes the block of ports instead of taking the next free one."""
    state_dir: Path = ROOT / ".labs"
    """Where a running cluster keeps its data, logs and process ids."""
    workspace_dir: Path = ROOT / "workspace"
    """Where the learner's own copies of the notebooks are."""
    progress_file: Path | None = None
    """Where the learner's progress is kept; ``progress.json`` in the state folder by default."""
    user: str = "labs"
    """The broker's administrator, who also logs in to the management console."""
    password: SecretStr = SecretStr("")
    """Made at random by the first ``labs up``."""
    erlang_cookie: SecretStr = SecretStr("")
    """What the nodes prove to each other that they belong together with; made at random too."""
    rabbitmq_home: Path | None = None
    """Where the native engine finds RabbitMQ, if not in a usual place: the folder that holds ``sbin``."""
    rabbitmq_image: str = "rabbitmq:4.3-management"
    """What the compose engine runs."""
    amqp_url: str = ""
    """The external engine's broker, as ``amqp://user:password@host:port``."""
    management_url: str = ""
    """The external engine's management API, as ``http://user:password@host:port``."""
    redis_url: str = ""
    """The external engine's Redis, as ``redis://:password@host:port/0``; a local engine has one of its own."""
    database_url: str = ""
    """The database that some labs write to, as SQLAlchemy takes it; a SQLite file in the state folder by default."""
    vhost_prefix: str = ""
    """Put before the name of each lab's virtual host, where several learners share one broker."""
    compose_project: str = ""
    """The compose project's name; derived from the checkout's path, so that two checkouts do not meet."""

    @field_validator("state_dir", "workspace_dir", "progress_file", mode="after")
    @classmethod
    def _from_the_checkout(cls, path: Path | None) -> Path | None:
        """A relative path is meant from the checkout, wherever the command or the notebook was started."""
        return ROOT / path if path else None

    def store(self, vhost: str) -> str:
        """The URL of the database that a lab in this virtual host writes to, as SQLAlchemy takes it."""
        return self.database_url or f"sqlite:///{self.stores / vhost}.db"

    @property
    def stores(self) -> Path:
        """The folder of the SQLite files; they go with the cluster."""
        return self.state_dir / "stores"

    @property
    def project(self) -> str:
        """The compose project's name, unique to this state folder."""
        if self.compose_project:
            return self.compose_project
        return "rabbitmq-labs-" + hashlib.sha256(str(self.state_dir.resolve()).encode()).hexdigest()[:8]


def env_file() -> Path:
    """Where the checkout's own settings are: ``.env``, or the file that ``LABS_ENV_FILE`` names."""
    return Path(os.environ.get("LABS_ENV_FILE") or ROOT / ".env")


def load_settings() -> Settings:
    """Read the settings as they are now.

    Raises
    ------
    LabsError
        A value in the environment or in ``.env`` cannot be used; says which.
    """
    try:
        return Settings(_env_file=env_file(), _env_file_encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabsError(
            f"{env_file()} cannot be read: {error}.",
            remedy="Mend it, or delete it: `labs up` makes a new one.",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = "LABS_" + str(first["loc"][0]).upper()
        raise LabsError(
            f"{name} has the value {first.get('input')!r}, which cannot be used: {first['msg']}.",
            remedy=f"Change or remove it in the environment and in {env_file()}.",
        ) from error


def write_env(values: dict[str, str]) -> None:
    """Put values into ``.env``, readable by its owner only; whatever else stands there is kept."""
    path = env_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
        path.chmod(0o600)
        present = dotenv.dotenv_values(path)
        for name, value in values.items():
            if present.get(name) != value:
                dotenv.set_key(path, name, value, quote_mode="never")
    except OSError as error:
        raise LabsError(
            f"{path} cannot be written: {error.strerror}.",
            meaning="The cluster's password is kept there.",
            remedy="Free some space or give yourself the right to write it, or let LABS_ENV_FILE name another file.",
        ) from error


def ensure_secrets() -> Settings:
    """Make the password and the cookie where ``.env`` has none, and return the settings with them."""
    settings = load_settings()
    # Digits and letters need no quoting in a URL, in rabbitmq.conf or in compose's .env, and a command never
    # takes them for an option, as it would a password that begins with "-".
    missing = {
        f"LABS_{name.upper()}": secrets.token_hex(16)
        for name in ("password", "erlang_cookie")
        if not getattr(settings, name).get_secret_value()
    }
    write_env(missing)
    return load_settings() if missing else settings
