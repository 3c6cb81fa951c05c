"""What several unit tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up checkout: settings, state and workspace lie in it, and nothing of this one's gets in."""
    for name in [name for name in os.environ if name.startswith("LABS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LABS_ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("LABS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LABS_WORKSPACE_DIR", str(tmp_path / "workspace"))
    return tmp_path
