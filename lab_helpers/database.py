"""The database that some labs write to: a SQLite file of their own, or what ``LABS_DATABASE_URL`` names."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from lab_helpers.errors import LabsError
from lab_helpers.settings import Settings


def reached(settings: Settings, vhost: str) -> str:
    """The URL of the database of a lab in this virtual host, after a connection to it was made.

    Raises
    ------
    LabsError
        There was none; says why.
    """
    url = settings.store(vhost)
    try:
        if not settings.database_url:
            settings.stores.mkdir(parents=True, exist_ok=True)
        engine = sqlalchemy.create_engine(url)
        try:
            with engine.connect():
                return url
        finally:
            engine.dispose()
    # What SQLAlchemy raises of a URL, a driver of a server, and Python of a driver that is not installed.
    except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
        raise LabsError(
            f"The database of this lab cannot be used: {reason(error)}.",
            remedy="Correct LABS_DATABASE_URL (postgresql+psycopg://user:password@host/database) or start that server; "
            "or unset it, to use a SQLite file. Then restart the kernel."
            if settings.database_url
            else f"Give yourself the right to write to {settings.stores}.",
        ) from error


def reason(error: Exception) -> str:
    """What went wrong in one line: the driver's own words, without SQLAlchemy's address of its documentation."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    return words[0].rstrip(".") if words else type(error).__name__
