"""Messages on storages that do not answer: databases' own texts may contain passwords and values."""

from __future__ import annotations

import sqlite3

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from brainage.system.signals import Interruption

# What a storage that does not answer raises.
STORAGE_ERRORS = (SQLAlchemyError, StorageInternalError)


class StorageLost(Interruption):
    """The storage of a study did not answer during a trial, which cannot go on; `error` is what it raised, if known."""

    exit_code = 1

    def __init__(self, error: BaseException | None = None) -> None:
        BaseException.__init__(self, "the study's storage did not answer")
        self.error = error


def is_of_storage(error: BaseException | None) -> bool:
    """Return whether a storage's error is among those that led to an error: Optuna fails over it in its own ways."""
    while error is not None:
        if isinstance(error, STORAGE_ERRORS):
            return True
        error = error.__cause__ or error.__context__
    return False


# What SQLite found, by the beginning of its error's name, and what to do.
_SQLITE = {
    "SQLITE_BUSY": "is locked by another program. Close what has it open, and give the same command again",
    "SQLITE_LOCKED": "is locked by another program. Close what has it open, and give the same command again",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_NOTADB": "is no SQLite database, or its beginning is damaged",
    "SQLITE_CANTOPEN": "cannot be opened. Check that it is a file in a folder that can be written",
    "SQLITE_READONLY": "cannot be written. Get permission, or choose another place with hydra.sweep.dir=DIR",
    "SQLITE_FULL": "cannot be written: the disk is full. Make room, and give the same command again",
    "SQLITE_IOERR": "cannot be read or written: the disk has an error. Give the same command again, or copy the folder "
    "to another disk",
}
_DAMAGED = (
    "Restore a copy of it (or what `sqlite3 FILE .recover` finds), or start a new study with "
    "hydra.sweeper.study_name=NAME; the folders of its trials are complete"
)


def unreachable(shown: str, error: BaseException, otherwise: str) -> str:
    """Return what is wrong with the storage of the address `shown`, and what to do.

    For a server, `otherwise` with the error's class in place of ``{}``.
    """
    name = f"`hydra.sweeper.storage={shown}`"
    if not shown.startswith("sqlite"):
        return f"{name} {otherwise.format(type(error).__name__)}"
    code = _sqlite_code(error)
    problem = next((text for start, text in _SQLITE.items() if code.startswith(start)), None)
    if problem is None:
        reason = getattr(error, "strerror", None) or code or type(error).__name__
        problem = f"cannot be used ({reason}). Check the file, and that its folder can be written"
    step = f". {_DAMAGED}" if problem.endswith("damaged") else ""
    return f"{name} {problem}{step}."


def _sqlite_code(error: BaseException | None) -> str:
    """Return SQLite's name of an error, such as ``SQLITE_BUSY``, from under those of SQLAlchemy and Optuna."""
    while error is not None:
        origin = getattr(error, "orig", None)
        if isinstance(origin, sqlite3.Error):
            return str(getattr(origin, "sqlite_errorname", ""))
        error = error.__cause__ or error.__context__
    return ""
