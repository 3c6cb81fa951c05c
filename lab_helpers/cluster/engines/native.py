"""The cluster as processes on this host: RabbitMQ and HAProxy as the system has them, no root, no container.

Everything lies under ``.labs/native/``. The nodes call themselves ``rmq1@rmq1`` and so on, as in the
containers: an Erlang name file of their own (``ERL_INETRC``) says that those hosts are 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from lab_helpers.cluster.commands import run
from lab_helpers.cluster.engine import LINKS_CUT, LocalEngine, Report
from lab_helpers.cluster.status import NodeState
from lab_helpers.errors import LabsError, NotPossibleHereError
from lab_helpers.processes import Background, write_atomically
from lab_helpers.settings import NODES, ROOT, SPARE, Ports, Settings

CONFIGURATION = ROOT / "cluster"
"""What both engines read."""

LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}"
"""Keeps the Erlang distribution of nodes and command-line tools off the network."""

LEAST_VERSION = "3.10"
"""The oldest RabbitMQ that the labs are tested with."""


def folders() -> list[Path]:
    """Where RabbitMQ's programs may be, the likeliest first, beside ``LABS_RABBITMQ_HOME``."""
    on_path = shutil.which("rabbitmq-server")
    return [
        # Debian and RPM packages. Their /usr/sbin wrappers switch user and folder, these do not.
        Path("/usr/lib/rabbitmq/bin"),
        # Homebrew on Apple silicon, on Intel, on Linux
        *(
            Path(prefix) / "opt/rabbitmq/sbin"
            for prefix in ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew")
        ),
        # The generic binary, wherever it was unpacked, if its sbin is on PATH
        *([Path(on_path).resolve().parent] if on_path else []),
    ]


def find_rabbitmq(home: Path | None) -> Path | None:
    """The folder that holds ``rabbitmq-server`` and ``rabbitmqctl``, or None."""
    candidates = [home / "sbin", home] if home else folders()
    for folder in candidates:
        if (folder / "rabbitmq-server").exists() and (folder / "rabbitmqctl").exists():
            return folder
    return None


def installed_version(programs: Path) -> str:
    """RabbitMQ's version by the name of its core library, or an empty string; asking the CLI takes a second."""
    home = programs.resolve().parent
    for pattern in ("plugins/rabbit-[0-9]*", "lib/rabbitmq_server-*/plugins/rabbit-[0-9]*"):
        for library in home.glob(pattern):
            return library.name.removeprefix("rabbit-").removesuffix(".ez")
    return ""


# Before 3.13 the first node, holding the lock that the others wait for, asks them ten times in half-second steps
# whether one has a cluster to join. None has: that is why it is the first. Asking once saves 5 s, and more for the
# others, which look for the lock at growing, random intervals.
# https://www.rabbitmq.com/docs/3.12/cluster-formation#discovery-retries
QUICKER_FORMATION = "cluster_formation.discovery_retry_limit = 1\ncluster_formation.discovery_retry_interval = 200\n"


class NativeEngine(LocalEngine):
    """Three Erlang VMs, their name server and HAProxy, each a background process of this user."""

    name = "native"

    def __init__(self, settings: Settings, ports: Ports) -> None:
        super().__init__(settings, ports)
        self.home = settings.state_dir.resolve() / "native"

    @staticmethod
    def missing(settings: Settings) -> str:
        """Why this engine cannot be used here, or an empty string if it can."""
        if find_rabbitmq(settings.rabbitmq_home) is None:
            where = f" in {settings.rabbitmq_home}" if settings.rabbitmq_home else ""
            return f"RabbitMQ is not installed{where}."
        for program, package in (("epmd", "Erlang"), ("haproxy", "HAProxy")):
            if find_program(program) is None:
                return f"RabbitMQ is installed, but {package} ({program}) is not."
        return ""

    def create(self, report: Report) -> None:
        """Write the nodes' configuration and start what does not run."""
        self._refuse_old_version()
        self._write_configuration()
        epmd = self._background("epmd")
        if epmd.process() is None:
            epmd.spawn(
                [required_program("epmd"), "-address", "127.0.0.1", "-port", str(self.ports.epmd)],
                self._environment(),
            )
        for node in self.nodes:
            if self.process_state(node) is NodeState.STOPPED:
                self.start(node)
        haproxy = self._background("haproxy")
        if haproxy.process() is None:
            haproxy.spawn(
                [required_program("haproxy"), "-db", "-f", str(CONFIGURATION / "haproxy.cfg")],
                self._haproxy_environment(),
            )

    def destroy(self) -> None:
        """Kill every process and delete the data."""
        nodes = (*NODES, SPARE)
        for name in ("door", "redis", "haproxy", *nodes, "epmd"):
            self._background(name).end(forcibly=name in nodes)
        shutil.rmtree(self.home, ignore_errors=True)
        for mark in (SPARE, LINKS_CUT):
            self.mark(mark, present=False)

    def process_state(self, node: str) -> NodeState:
        """Ask the operating system for the process's state."""
        background = self._background(node)
        if background.process() is None:
            return NodeState.STOPPED
        return NodeState.PAUSED if background.is_paused else NodeState.BOOTING

    def start(self, node: str) -> None:
        """Start the node's VM; its folder has its data."""
        self._background(node).spawn([str(self._program("rabbitmq-server"))], self._node_environment(node))

    def stop(self, node: str) -> None:
        """Send SIGTERM, on which RabbitMQ shuts down cleanly."""
        self._background(node).end(seconds=60)

    def kill(self, node: str) -> None:
        """Send SIGKILL."""
        self._background(node).end(forcibly=True)

    def pause(self, node: str) -> None:
        """Send SIGSTOP."""
        self._background(node).signal(signal.SIGSTOP)

    def resume(self, node: str) -> None:
        """Send SIGCONT."""
        self._background(node).signal(signal.SIGCONT)

    def run(self, node: str, program: str, *arguments: str) -> str:
        """Run the tool against the node, from this host."""
        return run(
            [str(self._program(program)), "--quiet", *arguments],
            seconds=60,
            env=self._node_environment(node),
            remedy=f"Run `labs status` to see how {node} is.",
            shown=" ".join([program, *arguments[:1]]),
        )

    def add_spare(self, cookie: str) -> None:
        """Start a fourth VM, with a home of its own: that is where its cookie is."""
        shutil.rmtree(self.home / SPARE, ignore_errors=True)
        self._write_cookie(self.home / SPARE, cookie)
        self._write_node(SPARE)
        # Not before: what is marked may be started by anybody, and without these files it would listen anywhere.
        self.mark(SPARE, present=True)
        self.start(SPARE)

    def end_spare(self) -> None:
        """Kill the VM and delete its folder."""
        self._background(SPARE).end(forcibly=True)
        self.mark(SPARE, present=False)
        shutil.rmtree(self.home / SPARE, ignore_errors=True)

    def log(self, node: str, lines: int = 15) -> str:
        """The end of what the node printed and logged."""
        printed = self._background(node).last_lines(lines)
        try:
            logged = (self.home / node / "log" / f"{node}.log").read_text(errors="replace").splitlines()
        except OSError:
            return printed
        return "\n".join([*printed.splitlines(), *logged][-lines:])

    def open_door(self, file: Path) -> tuple[str, str]:
        """Check the configuration, then start a second HAProxy on it."""
        self.close_door()
        amqp, statistics = self.door
        front = {"LABS_FRONT_AMQP": amqp, "LABS_FRONT_STATISTICS": statistics.removeprefix("http://").rstrip("/")}
        env = {**self._haproxy_environment(), **front}
        haproxy = required_program("haproxy")
        run([haproxy, "-c", "-f", str(file)], seconds=20, env=env, shown="haproxy -c")
        self._background("door").spawn([haproxy, "-db", "-f", str(file)], env)
        return self.door

    def close_door(self) -> None:
        """End it."""
        self._background("door").end(seconds=5)

    def redis(self) -> str:
        """Start the system's ``redis-server``, which keeps nothing on disk."""
        redis = self._background("redis")
        if redis.process() is None:
            program = find_program("redis-server")
            if program is None:
                raise NotPossibleHereError(
                    "Redis is not installed here (redis-server).",
                    meaning="The parts of this lab that need it cannot run; all others can.",
                    remedy="Install it: on Debian and Ubuntu `sudo bin/apt-install redis-server`, on macOS "
                    "`brew install redis`. Then run this cell again.",
                )
            configuration = self.home / "redis.conf"
            write_atomically(
                configuration,
                f"bind 127.0.0.1\nport {self.ports.redis}\nrequirepass {self.settings.password.get_secret_value()}\n"
                # Where the database would be written, if it were.
                f'save ""\ndir "{self.home}"\n',
            )
            configuration.chmod(0o600)
            redis.spawn([program, str(configuration)], self._environment())
        return self.redis_url

    def end_redis(self) -> None:
        """End the process."""
        self._background("redis").end()

    def _background(self, name: str) -> Background:
        return Background(self.home, name)

    def _program(self, name: str) -> Path:
        folder = find_rabbitmq(self.settings.rabbitmq_home)
        if folder is None:
            raise LabsError("RabbitMQ is no longer where it was.", remedy="Install it again, or run `labs down`.")
        return folder / name

    @property
    def _version(self) -> str:
        return installed_version(self._program("rabbitmq-server").parent)

    def _refuse_old_version(self) -> None:
        version = self._version
        if version and version_key(version) < version_key(LEAST_VERSION):
            raise LabsError(
                f"The RabbitMQ installed here is {version}; the labs need {LEAST_VERSION} or later.",
                remedy="Install a newer one, set LABS_RABBITMQ_HOME to it, or use Docker.",
            )

    def _write_configuration(self) -> None:
        """Write what differs from node to node, and the cookie that makes them one cluster."""
        hosts = ", ".join(f'"{node}"' for node in (*NODES, SPARE))
        write_atomically(self.home / "inetrc", f"{{lookup, [file, native]}}.\n{{host, {{127,0,0,1}}, [{hosts}]}}.\n")
        # An empty file in place of /etc/rabbitmq/rabbitmq-env.conf, which is for the system's own broker.
        write_atomically(self.home / "rabbitmq-env.conf", "")
        self._write_cookie(self.home, self.settings.erlang_cookie.get_secret_value())
        for node in NODES:
            self._write_node(node)
            # What makes these three one cluster, and leaves the spare node out of it.
            discovery = (CONFIGURATION / "discovery.conf").read_text()
            write_atomically(self.home / node / "conf.d" / "20-discovery.conf", discovery)

    def _write_cookie(self, folder: Path, secret: str) -> None:
        """Put the cookie where the VM with this home looks for it."""
        cookie = folder / ".erlang.cookie"
        if not cookie.exists():
            write_atomically(cookie, secret)
            # Erlang refuses a cookie that others could read.
            cookie.chmod(0o400)

    def _write_node(self, node: str) -> None:
        """Write the node's own listeners and its default user."""
        own = self.home / node / "conf.d" / "10-node.conf"
        write_atomically(
            own,
            f"listeners.tcp.1 = 127.0.0.1:{self.ports.node_amqp(node)}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.ports.node_management(node)}\n"
            f"default_user = {self.settings.user}\n"
            f"default_pass = {self.settings.password.get_secret_value()}\n"
            + (QUICKER_FORMATION if self._version and version_key(self._version) < (3, 13) else ""),
        )
        own.chmod(0o600)
        write_atomically(self.home / node / "enabled_plugins", (CONFIGURATION / "enabled_plugins").read_text())

    def _environment(self) -> dict[str, str]:
        """The environment of every Erlang program here: nothing of the system's own broker gets in."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_", "LABS_"))
        }
        return {
            **inherited,
            "HOME": str(self.home),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_INETRC": str(self.home / "inetrc"),
            "ERL_CRASH_DUMP": str(self.home / "erl_crash.dump"),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "rabbitmq-env.conf"),
            "RABBITMQ_CTL_ERL_ARGS": LOOPBACK_ONLY,
        }

    def _node_environment(self, node: str) -> dict[str, str]:
        folder = self.home / node
        return {
            **self._environment(),
            **({"HOME": str(folder)} if node == SPARE else {}),
            "RABBITMQ_NODENAME": f"{node}@{node}",
            "RABBITMQ_NODE_PORT": str(self.ports.node_amqp(node)),
            "RABBITMQ_DIST_PORT": str(self.ports.node_distribution(node)),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": str(folder / "log" / f"{node}.log"),
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(CONFIGURATION / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(folder / "conf.d" / "*.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(CONFIGURATION / "advanced.config"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 2:2 +sbwt none {LOOPBACK_ONLY}",
            # The start script then becomes the VM instead of watching it, so that its process id is the VM's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _haproxy_environment(self) -> dict[str, str]:
        addresses = {
            "LABS_FRONT_AMQP": self.amqp(),
            "LABS_FRONT_MANAGEMENT": f"127.0.0.1:{self.ports.management}",
            "LABS_FRONT_STATISTICS": f"127.0.0.1:{self.ports.statistics}",
        }
        for node in NODES:
            name = f"LABS_{node.upper()}"
            addresses[f"{name}_AMQP"] = self.amqp(node)
            addresses[f"{name}_MANAGEMENT"] = f"127.0.0.1:{self.ports.node_management(node)}"
            addresses[f"{name}_CHECK"] = str(self.ports.node_management(node))
        return {**os.environ, **addresses}


def find_program(name: str) -> str | None:
    """A program on PATH or in the folders for system programs, which Debian's users lack in theirs."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")


def required_program(name: str) -> str:
    """The same, raising LabsError where there is none."""
    program = find_program(name)
    if program is None:
        raise LabsError(f"The program {name} is not there.", remedy="Run `labs doctor` to see what is missing.")
    return program


def version_key(version: str) -> tuple[int, ...]:
    """Make versions comparable: "3.10.8" after "3.9.29"."""
    return tuple(int(part) for part in version.split("-")[0].split(".")[:2])
