"""A lab that restarts nodes does not run beside others: the tests of labs take turns."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.labs.turns import breaks_nodes, turn


def is_free(folder: Path, how: int) -> bool:
    """Whether another process would get its turn at once."""
    with (folder / "turn").open("w") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.mark.parametrize(
    ("alone", "others_share", "others_alone"),
    [(False, True, False), (True, False, False)],
    ids=["shared", "alone"],
)
def test_who_may_begin_meanwhile(alone: bool, others_share: bool, others_alone: bool, tmp_path: Path) -> None:
    with turn(tmp_path, alone=alone):
        assert is_free(tmp_path, fcntl.LOCK_SH) is others_share
        assert is_free(tmp_path, fcntl.LOCK_EX) is others_alone
    assert is_free(tmp_path, fcntl.LOCK_EX)


def test_a_turn_ends_where_the_test_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), turn(tmp_path, alone=True):
        _ = 1 / 0
    assert is_free(tmp_path, fcntl.LOCK_EX)


def test_the_header_says_which_labs_break_nodes() -> None:
    assert breaks_nodes("06_what_exchanges_and_queues_remember")
    assert not breaks_nodes("04_direct_exchange")
    assert not breaks_nodes(None)
