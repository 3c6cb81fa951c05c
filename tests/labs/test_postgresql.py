"""The labs that store run on PostgreSQL too: a real server, started here for this test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from lab_helpers import build
from lab_helpers.build.verification import verdicts
from lab_helpers.exercises import Outcome, load
from lab_helpers.settings import ROOT

# Not on the PATH: Debian keeps a folder for each version.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(shutil.which("pg_ctl") or "")]
SLUG = "17_idempotent_consumers"


def as_anybody(*command: str) -> list[str]:
    """PostgreSQL refuses to run as root: as the user that its package made, then."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else list(command)


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a database of a server of its own on 127.0.0.1, as SQLAlchemy takes it."""
    control = PROGRAMS[-1]
    if not control.is_file():
        # CI asks for everything.
        assert "LABS_TEST_ENGINES" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    # Not pytest's own folder, which is for this user alone.
    folder = Path(mkdtemp(prefix="labs-postgresql-"))
    folder.chmod(0o777)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = folder / "password"
    password.write_text("secret-of-this-test")
    password.chmod(0o644)
    data, log = folder / "data", folder / "log"
    subprocess.run(
        as_anybody(
            *(str(control.with_name("initdb")), "--pgdata", str(data), "--username", "labs", "--auth", "scram-sha-256"),
            *("--pwfile", str(password), "--no-sync"),
        ),
        check=True,
        capture_output=True,
        cwd=folder,
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    start = as_anybody(str(control), "start", "--wait", "--pgdata", str(data), "--log", str(log), "--options", options)
    subprocess.run(start, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql+psycopg://labs:{password.read_text()}@127.0.0.1:{port}/postgres"
    finally:
        stop = as_anybody(str(control), "stop", "--mode", "immediate", "--pgdata", str(data))
        subprocess.run(stop, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder)


@pytest.mark.parametrize("slug", [SLUG])
def test_the_lab_is_solved_on_postgresql(slug: str, engine: str, database: str, tmp_path: Path) -> None:
    apart = {"LABS_VHOST_PREFIX": "postgresql.", "LABS_DATABASE_URL": database}
    # The judge reads the same database: it runs in the notebook's kernel.
    executed = build.run(build.solution(build.load(ROOT, slug)), tmp_path, apart)
    assert build.problems(executed) == []
    last = {verdict.exercise: verdict.outcome for verdict in verdicts(executed.cells)}
    assert last == dict.fromkeys(load(ROOT, slug), Outcome.PASSED)
