"""A second front door: what is said of a configuration that HAProxy, the real one, refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab_helpers.cluster.engines.native import NativeEngine, find_program
from lab_helpers.cluster.front_door import FrontDoor
from lab_helpers.errors import LabsError
from lab_helpers.settings import Ports, Settings

SERVER = '    server rmq1 "${LABS_RMQ1_AMQP}" check\n'
BACKEND = f"backend amqp_nodes\n{SERVER}"


@pytest.fixture
def engine(tmp_path: Path) -> NativeEngine:
    if find_program("haproxy") is None:
        if "CI" in os.environ:
            pytest.fail("HAProxy is not installed, and in CI it must be")
        pytest.skip("HAProxy is not installed")
    return NativeEngine(Settings(_env_file=None, state_dir=tmp_path), Ports(6300))


def refusal(engine: NativeEngine, backend: str) -> LabsError:
    with pytest.raises(LabsError) as caught:
        FrontDoor(engine, backend)
    assert not engine._background("door").pid_file.exists()
    return caught.value


@pytest.mark.parametrize(
    ("right", "mistake", "reason"),
    [
        (" check", " chek", "unknown keyword 'chek'"),
        ("    server", "    sevrer", "unknown keyword 'sevrer' in 'backend' section"),
        ("${LABS_RMQ1_AMQP}", "${LABS_RMQ7_AMQP}", "expects <name> and <addr>"),
        (" check", " check inter fast", "unexpected character 'f'"),
        ("amqp_nodes\n", "amqp_nodes\n    balance fairly\n", "balance"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(engine: NativeEngine, right: str, mistake: str, reason: str) -> None:
    assert right in BACKEND
    error = refusal(engine, BACKEND.replace(right, mistake))
    assert error.what.startswith("HAProxy refuses this configuration at line 2, `")
    assert mistake.strip().splitlines()[-1].strip() in error.what
    assert str(engine.home.parent) not in error.what
    assert reason in error.what
    assert "\n" not in error.what
    assert error.what.count("ALERT") == 0
    assert error.meaning == "Nothing was started."


@pytest.mark.parametrize(
    "text", ["", "listen amqp_nodes\n", f"backend nodes\n{SERVER}", f"# backend amqp_nodes\n{SERVER}"]
)
def test_the_section_must_have_its_name(engine: NativeEngine, text: str) -> None:
    assert refusal(engine, text).what == "The configuration has no section `backend amqp_nodes`."
