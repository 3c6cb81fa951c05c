"""Background programs and the files that remember them, with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lab_helpers.broker.waiting import wait_until
from lab_helpers.errors import LabsError
from lab_helpers.processes import Background, write_atomically

SLEEP = ["sleep", "60"]


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Background]:
    made = Background(tmp_path / "state", "program")
    yield made
    made.end(forcibly=True)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that is none of ours."""
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def running(background: Background) -> psutil.Process:
    process = background.process()
    assert process is not None
    return process


def logged(background: Background, text: str) -> bool:
    return text in background.last_lines()


def test_a_spawned_program_runs_and_ends(background: Background) -> None:
    background.spawn(SLEEP, os.environ)
    process = running(background)
    # While the kernel puts the program in the child's place, its command line is empty for a moment.
    wait_until(lambda: process.cmdline() == SLEEP)
    background.end()
    assert not process.is_running()
    assert background.process() is None
    assert not background.pid_file.exists()


def test_it_survives_the_terminal(background: Background) -> None:
    background.spawn(SLEEP, os.environ)
    assert os.getsid(running(background).pid) != os.getsid(0)


def test_its_output_environment_and_folder(background: Background, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "GREETING": "hello"}
    background.spawn(shell("echo $GREETING; pwd; echo wrong >&2"), environment, cwd=tmp_path)
    wait_until(lambda: logged(background, "wrong"))
    assert background.last_lines() == f"hello\n{tmp_path.resolve()}\nwrong"
    assert background.last_lines(1) == "wrong"


def test_a_log_that_is_not_there_is_empty(background: Background) -> None:
    assert background.last_lines() == ""


def test_a_later_start_adds_to_the_log(background: Background) -> None:
    for word in ("first", "second"):
        background.spawn(shell(f"echo {word}"), os.environ)
        wait_until(lambda word=word: logged(background, word))
    assert background.last_lines() == "first\nsecond"


def test_a_program_that_ended_by_itself_does_not_run(background: Background) -> None:
    background.spawn(["true"], os.environ)
    wait_until(lambda: background.process() is None)
    background.end()
    assert not background.pid_file.exists()


def test_pausing(background: Background) -> None:
    background.spawn(SLEEP, os.environ)
    assert not background.is_paused
    background.signal(signal.SIGSTOP)
    wait_until(lambda: background.is_paused)
    background.signal(signal.SIGCONT)
    wait_until(lambda: not background.is_paused)
    assert background.process() is not None


def test_a_paused_program_can_still_say_goodbye(background: Background) -> None:
    background.spawn(shell('trap "echo bye; exit" TERM; echo ready; while :; do sleep 0.05; done'), os.environ)
    wait_until(lambda: logged(background, "ready"))
    background.signal(signal.SIGSTOP)
    wait_until(lambda: background.is_paused)
    started = time.monotonic()
    background.end(seconds=20)
    assert time.monotonic() - started < 10
    assert background.last_lines() == "ready\nbye"


def test_a_program_that_will_not_end_is_killed(background: Background) -> None:
    background.spawn(shell('trap "" TERM; echo ready; while :; do sleep 0.05; done'), os.environ)
    wait_until(lambda: logged(background, "ready"))
    process = running(background)
    try:
        background.end(seconds=0.2)
        assert not process.is_running()
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_ending_forcibly_asks_nothing(background: Background) -> None:
    background.spawn(shell('trap "echo bye; exit" TERM; echo ready; while :; do sleep 0.05; done'), os.environ)
    wait_until(lambda: logged(background, "ready"))
    background.end(forcibly=True)
    assert background.last_lines() == "ready"


def test_what_another_process_started_has_ended_also_before_that_one_notices(background: Background) -> None:
    # As a node that `labs up` in a test, or a notebook, started, and that another notebook stops.
    starter = "from pathlib import Path; from lab_helpers.processes import Background; import os, sys\n"
    starter += f"Background(Path({str(background.pid_file.parent)!r}), 'program').spawn({SLEEP!r}, os.environ)\n"
    starter += "print('started', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"started\n"
        pid = running(background).pid
        began = time.monotonic()
        background.end()
        assert time.monotonic() - began < 10
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert not background.pid_file.exists()
        other.communicate()


def test_a_program_that_is_not_there_is_a_sentence(background: Background) -> None:
    with pytest.raises(LabsError, match="no-such-program could not be started") as caught:
        background.spawn(["no-such-program"], os.environ)
    assert "labs up" in caught.value.remedy
    assert background.process() is None


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabsError, match="sleep could not be started"):
        Background(tmp_path / "file" / "state", "program").spawn(SLEEP, os.environ)


def test_a_program_that_cannot_be_remembered_is_ended(background: Background, tmp_path: Path) -> None:
    program = tmp_path / "sleep-of-this-test"
    shutil.copy(shutil.which("sleep") or "", program)
    background.pid_file.mkdir(parents=True)
    with pytest.raises(LabsError):
        background.spawn([str(program), "60"], os.environ)
    background.pid_file.rmdir()
    left = [process for process in psutil.Process().children() if process.name().startswith("sleep-of-this")]
    for process in left:
        process.kill()
        process.wait()
    assert left == []


# --- The file that remembers it


def test_nothing_was_started(background: Background) -> None:
    assert background.process() is None
    assert not background.is_paused
    background.signal(signal.SIGTERM)
    background.end()


def test_a_stale_file_counts_as_nothing(background: Background) -> None:
    with subprocess.Popen(["true"]) as gone:
        created = psutil.Process(gone.pid).create_time()
    write_atomically(background.pid_file, json.dumps({"pid": gone.pid, "created": created}))
    assert background.process() is None
    background.end()
    assert not background.pid_file.exists()


@pytest.mark.parametrize("forcibly", [True, False])
def test_another_program_with_the_same_id_is_left_alone(
    background: Background, stranger: subprocess.Popen[bytes], forcibly: bool
) -> None:
    created = psutil.Process(stranger.pid).create_time()
    write_atomically(background.pid_file, json.dumps({"pid": stranger.pid, "created": created - 1000}))
    assert background.process() is None
    background.signal(signal.SIGKILL)
    background.end(forcibly=forcibly)
    # A signal that had been sent would have been acted on: this one only asks whether it still runs, and stops it.
    stranger.send_signal(signal.SIGSTOP)
    wait_until(lambda: psutil.Process(stranger.pid).status() == psutil.STATUS_STOPPED)


def test_the_same_program_is_known_by_its_file_alone(background: Background, stranger: subprocess.Popen[bytes]) -> None:
    created = psutil.Process(stranger.pid).create_time()
    write_atomically(background.pid_file, json.dumps({"pid": stranger.pid, "created": created}))
    assert running(background).pid == stranger.pid


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"4711",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"half of {",
        b"\xff\xfe",
        b'{"pid": "x", "created": 1}',
        b'{"pid": -1, "created": 1}',
        b'{"pid": null, "created": 1}',
        b'{"pid": 99999999999999999999, "created": 1}',
    ],
)
def test_a_corrupted_file_counts_as_nothing(background: Background, content: bytes) -> None:
    background.pid_file.parent.mkdir(parents=True)
    background.pid_file.write_bytes(content)
    assert background.process() is None
    background.end()
    assert not background.pid_file.exists()


# --- Writing whole or not at all


def test_writing_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    for text in ("old", "größer ✓"):
        write_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


def test_a_text_that_cannot_be_encoded_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_replaced_leaves_no_half(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, "new")
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "inside").is_dir()


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = ["a" * 200_000, "b" * 200_000]
    write_atomically(path, texts[0])
    with path.open(encoding="utf-8") as reader:
        begun = reader.read(1000)
        write_atomically(path, texts[1])
        assert begun + reader.read() == texts[0]
    assert path.read_text(encoding="utf-8") == texts[1]


def test_it_works_in_its_own_folder_not_in_the_callers(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A node that a lab restarts must not depend on the folder of the notebook's kernel: that one may be deleted.
    callers = tmp_path / "callers"
    callers.mkdir()
    monkeypatch.chdir(callers)
    background.spawn(SLEEP, os.environ)
    process = background.process()
    assert process is not None
    assert Path(process.cwd()) == background.pid_file.parent
