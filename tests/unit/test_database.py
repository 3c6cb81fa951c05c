"""The database that some labs write to: a file of the lab's own, or what a setting names; never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import sqlalchemy

from lab_helpers.database import reached
from lab_helpers.errors import LabsError
from lab_helpers.settings import load_settings


def test_it_is_a_file_in_the_state_folder(checkout: Path) -> None:
    url = reached(load_settings(), "17_lab")
    assert url == f"sqlite:///{checkout / 'state' / 'stores' / '17_lab'}.db"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE kept (id INTEGER)"))
    engine.dispose()
    assert reached(load_settings(), "17_lab") == url
    assert (checkout / "state" / "stores" / "17_lab.db").stat().st_size


def test_two_labs_have_two_files(checkout: Path) -> None:
    assert reached(load_settings(), "15_lab") != reached(load_settings(), "17_lab")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("no url at all", "Could not parse SQLAlchemy URL"),
        ("oracle9://user:pw@127.0.0.1/x", "Can't load plugin"),
        ("mysql+pymysql://user:pw@127.0.0.1/x", "No module named 'pymysql'"),
        ("postgresql+psycopg://user:pw@127.0.0.1:{closed}/x", "connection failed"),
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
    ],
)
def test_one_that_cannot_be_reached_is_a_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, url: str, what: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LABS_DATABASE_URL", url.format(closed=closed.getsockname()[1]))
        with pytest.raises(LabsError) as caught:
            reached(load_settings(), "17_lab")
    assert what in caught.value.what
    assert "LABS_DATABASE_URL" in caught.value.remedy
    assert ":pw@" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_a_sentence(checkout: Path) -> None:
    (checkout / "state").write_text("a file where the folder should be")
    with pytest.raises(LabsError, match="cannot be used") as caught:
        reached(load_settings(), "17_lab")
    assert "right to write" in caught.value.remedy
