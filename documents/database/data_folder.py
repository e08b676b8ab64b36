"""The folder of the embedded MongoDB: what lies where, readable by its owner alone.

connection.json   how to reach the mongod: port and passwords; written before the mongod starts
keyfile           the key of the replica set
mongod.log        and mongod.log.1, the one before
db/               the data
*.lock            see `documents.database.embedded`
"""

import os
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from documents.database.lease import OWNER_ONLY

SECRET_BYTES = 32
MAX_LOG_BYTES = 16 * 1024 * 1024
LOG_LINES = 5
LOG_LINE_LENGTH = 400


def new_secret() -> str:
    """Return a fresh secret, in hexadecimal: fit for a key file, and for a URI as it is."""
    return secrets.token_hex(SECRET_BYTES)


class Endpoint(BaseModel):
    """How to reach a folder's mongod, running or not.

    Args:
        port: Where it listens, or listened last; 0 before the first start.
        ready: Whether the users are known to exist with these passwords.
        pid: For people who read the file. It may be another process by now, so nothing is ever done to it.
        version: MongoDB's version at the last start.
    """

    model_config = ConfigDict(frozen=True)

    port: int = Field(default=0, ge=0, le=65535)
    ready: bool = False
    pid: int | None = None
    version: str | None = None
    admin_password: str = Field(default_factory=new_secret, repr=False)
    password: str = Field(default_factory=new_secret, repr=False)


class DataFolder:
    """The paths of one data folder, and the two files that Sheaf itself writes there."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.db = self.path / "db"
        self.keyfile = self.path / "keyfile"
        self.connection_file = self.path / "connection.json"
        self.log = self.path / "mongod.log"
        self.transition_lock = self.path / "transition.lock"
        self.holders_lock = self.path / "holders.lock"
        self.running_lock = self.path / "running.lock"

    def create(self) -> None:
        """Make what lacks, for the owner alone. A folder that was in use for other things keeps its permissions."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(self.path.iterdir()):
            self.path.chmod(0o700)
        self.db.mkdir(mode=0o700, exist_ok=True)

    def load(self) -> Endpoint | None:
        """Return what `connection.json` says, or None when it is missing or damaged."""
        try:
            return Endpoint.model_validate_json(self.connection_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def save(self, endpoint: Endpoint) -> None:
        """Write `connection.json`, whole or not at all."""
        _write(self.connection_file, endpoint.model_dump_json(indent=2) + "\n")

    def key(self) -> str:
        """Return the replica set's key, made on first use."""
        if not self.keyfile.exists():
            _write(self.keyfile, new_secret())
        return self.keyfile.read_text(encoding="ascii").strip()

    def turn_log(self) -> int:
        """Put a long log aside, and return where the next start's lines begin, in bytes."""
        size = self.log.stat().st_size if self.log.exists() else 0
        if size <= MAX_LOG_BYTES:
            return size
        self.log.replace(self.log.with_suffix(".log.1"))
        return 0

    def read_complaints(self, start: int = 0) -> list[str]:
        """Return the last lines of the log after `start` that are warnings or errors, or else the last ones."""
        if not self.log.exists():
            return []
        with self.log.open(encoding="utf-8", errors="replace") as log:
            log.seek(start)
            lines = [line.strip()[:LOG_LINE_LENGTH] for line in log]
        complaints = [line for line in lines if any(f'"s":"{severity}"' in line for severity in "FEW")]
        return (complaints or lines)[-LOG_LINES:]


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  # a Path cannot open a descriptor
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # or a power cut could undo the renaming
    finally:
        os.close(descriptor)
