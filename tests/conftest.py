"""What all tests share: nothing of the contributor's own settings gets in."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Forget settings from the shell, but for those that say what to test."""
    for name in list(os.environ):
        kept = name.startswith("LABS_TEST_") or name in ("LABS_RABBITMQ_HOME", "LABS_RABBITMQ_IMAGE")
        if name.startswith("LABS_") and not kept:
            del os.environ[name]
