"""`bin/setup` on made-up machines: a PATH with only what each test puts there, no network, no apt."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "cksum", "dirname", "grep", "mv", "rm", "sed", "sleep", "tail", "tr")

# Answers what bin/setup asks of a Python, and writes down what it is told to install.
PYTHON = """#!{bash}
case "$*" in
  *_base_executable*) printf '%s\\n%s\\n' "{python}" {version}; exit {too_old} ;;
  *ensurepip*) exit {no_ensurepip} ;;
  *"import pip, venv"*) exit {no_pip} ;;
  *"import pip"*) [ ! -e .venv/without-pip ] ;;
  *subprocess*) shift 2; exec "$@" ;;
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; [ "$3" = .venv ] || : >.venv/without-pip ;;
  *" install "*) echo "$*" >>"{log}"; [ ! -e "{root}/offline" ] ;;
esac
"""


class Machine:
    """A root folder with its own /usr/bin, and a checkout whose path has a space."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "usr/bin"
        self.checkout = root / "my work"
        self.log = root / "pip.log"
        self.programs.mkdir(parents=True)
        for tool in (*TOOLS, "cp", "mkdir"):
            (self.programs / tool).symlink_to(shutil.which(tool) or tool)
        for folder in ("bin", "tests", "docs"):
            (self.checkout / folder).mkdir(parents=True)
        for name in ("pyproject.toml", "requirements.in", "requirements.txt"):
            shutil.copy(CHECKOUT / name, self.checkout)
        for name in ("tests/requirements.txt", "docs/requirements.txt"):
            shutil.copy(CHECKOUT / name, self.checkout / name)
        script = (CHECKOUT / "bin/setup").read_text(encoding="utf-8")
        for place in ("/usr/", "/opt/homebrew/", "/home/linuxbrew/"):
            assert place in script
            script = script.replace(place, f"{root}{place}")
        (self.checkout / "bin/setup").write_text(script, encoding="utf-8")
        self.user(1000)
        self.program("dot")
        self.python()

    def program(self, name: str, does: str = "exit 0") -> Path:
        path = self.root / name if "/" in name else self.programs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{does}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def python(self, name: str = "python3", version: str = "3.12", ensurepip: bool = True, pip: bool = True) -> None:
        path = self.program(name)
        path.write_text(
            PYTHON.format(
                bash=shutil.which("bash"),
                python=path,
                version=version,
                too_old=int(version in {"3.9", "3.10"}),
                no_ensurepip=int(not ensurepip),
                no_pip=int(not pip),
                log=self.log,
                root=self.root,
            ),
            encoding="utf-8",
        )

    def user(self, uid: int) -> None:
        self.program("id", f"echo {uid}")

    def apt(self) -> None:
        """Make packages installable: apt-get is there, and bin/apt-install only writes down its arguments."""
        self.program("apt-get")
        self.program("my work/bin/apt-install", f'echo "apt-install $*" >>"{self.log}"')

    def rabbitmq(self) -> None:
        self.program("usr/lib/rabbitmq/bin/rabbitmq-server")
        self.program("usr/sbin/haproxy")

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / "bash", self.checkout / "bin/setup", *arguments],
            env={"PATH": str(self.programs), "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def plan(self, *arguments: str, **environment: str) -> str:
        """The plan, which must be possible and must change nothing."""
        before = sorted(self.root.rglob("*"))
        done = self.setup("--plan", *arguments, **environment)
        assert done.returncode == 0, done.stderr
        assert sorted(self.root.rglob("*")) == before
        return done.stdout

    def installed(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# --- What runs the cluster


def test_docker_needs_no_system_package(machine: Machine) -> None:
    machine.program("docker")
    plan = machine.plan()
    assert "Cluster:          Docker\n" in plan
    assert "System packages:  none\n" in plan


def test_rabbitmq_needs_no_system_package(machine: Machine) -> None:
    machine.rabbitmq()
    assert "System packages:  none\n" in machine.plan()


def test_a_cluster_elsewhere_needs_nothing(machine: Machine) -> None:
    assert "System packages:  none\n" in machine.plan(LABS_ENGINE="external")


def test_the_engine_is_read_from_the_env_file(machine: Machine) -> None:
    (machine.checkout / ".env").write_text("LABS_PASSWORD=x\nLABS_ENGINE='external'\n", encoding="utf-8")
    assert "System packages:  none\n" in machine.plan()


def test_without_anything_and_without_root_the_commands_are_told(machine: Machine) -> None:
    machine.apt()
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo bin/apt-install rabbitmq-server haproxy\n" in done.stderr
    assert "brew install rabbitmq haproxy" in done.stderr
    assert "Docker" in done.stderr
    assert not (machine.checkout / ".venv").exists()


def test_without_apt_root_cannot_install_either(machine: Machine) -> None:
    machine.user(0)
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo bin/apt-install rabbitmq-server haproxy\n" in done.stderr


def test_root_installs_what_is_missing_and_only_that(machine: Machine) -> None:
    machine.apt()
    machine.user(0)
    machine.program("usr/sbin/haproxy")
    (machine.programs / "dot").unlink()
    assert "System packages:  rabbitmq-server graphviz\n" in machine.plan()
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installed()[0] == "apt-install rabbitmq-server graphviz"
    assert done.stdout.index("rabbitmq-server graphviz") < done.stdout.index("Making .venv")


def test_sudo_that_needs_no_password_is_as_good_as_root(machine: Machine) -> None:
    machine.apt()
    machine.program("sudo", '[ "$1" != -n ] || shift; [ "$1" = true ] || exec "$@"')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installed()[0] == "apt-install rabbitmq-server haproxy"


def test_a_failed_installation_stops_setup(machine: Machine) -> None:
    machine.apt()
    machine.user(0)
    machine.program("my work/bin/apt-install", "exit 1")
    done = machine.setup()
    assert done.returncode == 1
    assert "Nothing can run here without rabbitmq-server haproxy" in done.stderr
    assert not (machine.checkout / ".venv").exists()


def test_docker_that_does_not_answer_is_named(machine: Machine) -> None:
    machine.program("docker", "exit 1")
    done = machine.setup()
    assert done.returncode == 1
    assert "Docker is installed, but" in done.stderr


def test_compose_is_not_replaced_by_something_else(machine: Machine) -> None:
    machine.rabbitmq()
    done = machine.setup(LABS_ENGINE="compose")
    assert done.returncode == 1
    assert "no Docker Engine with the Compose plugin answers" in done.stderr


def test_native_does_not_take_docker(machine: Machine) -> None:
    machine.program("docker")
    done = machine.setup(LABS_ENGINE="native")
    assert done.returncode == 1
    assert 'LABS_ENGINE is "native", but RabbitMQ with HAProxy was not found' in done.stderr


def test_an_unknown_engine_is_refused(machine: Machine) -> None:
    done = machine.setup(LABS_ENGINE="podman")
    assert done.returncode == 1
    assert "none of auto, compose, native and external" in done.stderr


def test_a_rabbitmq_home_without_rabbitmq_is_refused(machine: Machine) -> None:
    done = machine.setup(LABS_RABBITMQ_HOME="/nowhere")
    assert done.returncode == 1
    assert "Correct or unset it" in done.stderr


def test_a_rabbitmq_home_is_used(machine: Machine) -> None:
    machine.program("broker/sbin/rabbitmq-server")
    machine.program("usr/sbin/haproxy")
    assert "System packages:  none\n" in machine.plan(LABS_RABBITMQ_HOME=str(machine.root / "broker"))


def test_missing_graphviz_is_only_a_warning(machine: Machine) -> None:
    machine.rabbitmq()
    (machine.programs / "dot").unlink()
    plan = machine.plan()
    assert "pictures are shown as text" in plan
    assert "System packages:  none\n" in plan


# --- Python


def test_a_python_too_old_is_told_so(machine: Machine) -> None:
    machine.python(version="3.10")
    done = machine.setup()
    assert done.returncode == 1
    assert "No Python 3.11 or later was found" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert "brew install python@3.13" in done.stderr


def test_a_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    machine.rabbitmq()
    machine.python(version="3.10")
    machine.python("python3.13", version="3.13")
    assert "Python:           3.13 " in machine.plan()


def test_labs_python_comes_first(machine: Machine) -> None:
    machine.rabbitmq()
    machine.python("opt/python", version="3.14")
    assert "Python:           3.14 " in machine.plan(LABS_PYTHON=str(machine.root / "opt/python"))


def test_a_wrong_labs_python_is_not_replaced(machine: Machine) -> None:
    done = machine.setup(LABS_PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert '"/nowhere/python", which is no Python 3.11' in done.stderr


def test_python_without_venv_needs_debians_package(machine: Machine) -> None:
    machine.apt()
    machine.rabbitmq()
    machine.python(ensurepip=False, pip=False)
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo apt-get install python3.12-venv" in done.stderr
    machine.user(0)
    assert "System packages:  python3.12-venv\n" in machine.plan()


def test_python_without_venv_is_helped_by_its_own_pip(machine: Machine) -> None:
    machine.rabbitmq()
    machine.python(ensurepip=False)
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installed()[0].startswith("-m pip --python .venv/bin/python ")


def test_python_without_venv_is_helped_by_uv(machine: Machine) -> None:
    machine.rabbitmq()
    machine.python(ensurepip=False, pip=False)
    machine.program("uv")
    assert "System packages:  none\n" in machine.plan()


# --- .venv


def test_the_second_run_does_nothing(machine: Machine) -> None:
    machine.rabbitmq()
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    installed = machine.installed()
    assert len(installed) == 2
    assert "--require-hashes -r requirements.txt" in installed[0]
    assert "--no-deps --no-build-isolation --editable ." in installed[1]
    second = machine.setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert machine.installed() == installed


def test_tests_need_more_and_a_learner_is_content_with_that(machine: Machine) -> None:
    machine.rabbitmq()
    machine.setup()
    assert "to be brought up to date" in machine.plan("test")
    machine.setup("test")
    assert "-r requirements.txt -r tests/requirements.txt -r docs/requirements.txt" in machine.installed()[2]
    assert "up to date\n" in machine.plan("test")
    assert "up to date\n" in machine.plan("learner")


def test_changed_requirements_are_installed_again(machine: Machine) -> None:
    machine.rabbitmq()
    machine.setup()
    with (machine.checkout / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert "to be brought up to date" in machine.plan()
    machine.setup()
    assert len(machine.installed()) == 4
    assert "Python packages:  up to date\n" in machine.plan()


def test_a_failed_installation_says_so_and_leaves_what_was_there(machine: Machine) -> None:
    machine.rabbitmq()
    machine.setup()
    (machine.root / "offline").touch()
    assert "to be brought up to date" in machine.plan("test")
    done = machine.setup("test")
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert "Python packages:  up to date\n" in machine.plan("learner")


@pytest.mark.parametrize("damage", ["interrupted", "moved", "python gone"])
def test_a_venv_that_cannot_be_trusted_is_made_anew(machine: Machine, damage: str) -> None:
    machine.rabbitmq()
    machine.setup()
    if damage == "interrupted":
        (machine.checkout / ".venv/labs-setup").unlink()
    elif damage == "moved":
        machine.checkout = machine.checkout.rename(machine.root / "moved here")
    else:
        (machine.checkout / ".venv/bin/python").unlink()
    (machine.checkout / ".venv/left-over").touch()
    assert "in a new .venv" in machine.plan()
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "making it anew" in done.stdout
    assert not (machine.checkout / ".venv/left-over").exists()
    assert "Python packages:  up to date\n" in machine.plan()


def test_another_labs_python_makes_the_venv_anew(machine: Machine) -> None:
    machine.rabbitmq()
    machine.setup()
    machine.python("opt/python", version="3.13")
    other = str(machine.root / "opt/python")
    assert "in a new .venv" in machine.plan(LABS_PYTHON=other)
    machine.setup(LABS_PYTHON=other)
    assert "Python packages:  up to date\n" in machine.plan(LABS_PYTHON=other)


def test_an_unknown_kind_is_refused(machine: Machine) -> None:
    done = machine.setup("teacher")
    assert done.returncode == 2
    assert "Usage" in done.stderr


def test_scripts_can_be_run(machine: Machine) -> None:
    for name in ("bin/setup", "bin/test", "bin/apt-install", ".ci/run", ".ci/engine.sh"):
        assert os.access(CHECKOUT / name, os.X_OK), f"{name} has lost its executable bit"
