"""Everything that can go wrong with a migration, as types. None of them is met by a request of the API.

MigrationError
├── LockHeldError              another process migrates
├── LockLostError              this process may migrate no more
├── InvalidPathError           a path of an operation cannot be meant
├── NotReversibleError         there is no way back
├── OperationEditedError       an operation is not as it was when its backfill began
├── InvalidRevisionError       a file is no revision, or the files do not fit together
├── UnknownRevisionError       no revision is meant
├── SeveralHeadsError          one has to be chosen
├── RevisionEditedError        the file of a recorded revision is not what was run
├── RevisionMissingError       the file of a recorded revision is gone
├── RevisionUnfinishedError    another thing has to be finished first
├── DocumentsRemainError       it is too early to contract
├── IndexBlockedError          an index differs in what cannot be changed in place
├── MigrationsPendingError     the server was told to refuse
├── LagUnknownError            a limit of the replication lag was asked for, and nobody may read the lag
└── MigrationFailedError       MongoDB refused something
    └── DocumentFailedError    it refused one document
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who migrates.

    Args:
        holder: Another one for each taking of the lock.
        host: Name of the machine.
        pid: Process id there.
        purpose: What it does, in words for people.
        since: When it took the lock, by MongoDB's clock, in UTC.
        expires: When the lock is free unless it is renewed, by the same clock.
        token: Grows by one with each taking.
    """

    holder: str
    host: str
    pid: int
    purpose: str
    since: datetime
    expires: datetime
    token: int


class MigrationError(Exception):
    """The root. `code` is stable; the message is for people."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class LockHeldError(MigrationError):
    """Another process migrates this database. Wait until it is done, or until its lock expires."""

    code = "migration-lock-held"

    def __init__(self, holder: LockHolder) -> None:
        super().__init__(
            f"Process {holder.pid} on {holder.host} holds the lock since {holder.since:%Y-%m-%d %H:%M:%S} UTC: "
            f"{holder.purpose}."
        )
        self.holder = holder


class LockLostError(MigrationError):
    """The lock was not renewed in time, or another took it. Nothing more was written; run it again to go on."""

    code = "migration-lock-lost"


class InvalidPathError(MigrationError):
    """A path of an operation cannot be meant."""

    code = "invalid-path"


class NotReversibleError(MigrationError):
    """There is no way back, or none that brings back what was. Nothing was changed."""

    code = "migration-not-reversible"


class OperationEditedError(MigrationError):
    """An operation is not as it was when its backfill began, so some documents have the one and some the other."""

    code = "migration-operation-edited"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The operation {key} was edited after its backfill began. Restore it and run it again, "
            "then put the change into a revision of its own."
        )
        self.key = key


class InvalidRevisionError(MigrationError):
    """A file is no revision, or the revisions of a folder do not fit together. The message names the file."""

    code = "invalid-revision"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class UnknownRevisionError(MigrationError):
    """No revision has such an id, or several begin so."""

    code = "unknown-revision"


class SeveralHeadsError(MigrationError):
    """Several revisions could be meant. Choose one, or merge them."""

    code = "several-heads"


class RevisionEditedError(MigrationError):
    """The file of a revision was edited after it was run, so what ran is no longer what it says."""

    code = "revision-edited"


class RevisionMissingError(MigrationError):
    """The file of a revision that was run is not there."""

    code = "revision-missing"


class RevisionUnfinishedError(MigrationError):
    """Something else has to be finished first. The message says what."""

    code = "revision-unfinished"


class DocumentsRemainError(MigrationError):
    """Documents are still as before the backfill, so it is too early to contract. Nothing was changed."""

    code = "documents-remain"


class IndexBlockedError(MigrationError):
    """An index like the wanted one is there, and differs in something that cannot be changed in place."""

    code = "index-blocked"


class MigrationsPendingError(MigrationError):
    """The database is not as this server's revisions want it, and the server was told to refuse then."""

    code = "migrations-pending"


class LagUnknownError(MigrationError):
    """A limit of the replication lag was asked for, but this user may not read it: the role clusterMonitor may."""

    code = "migration-lag-unknown"


class MigrationFailedError(MigrationError):
    """MongoDB refused something. What was done before stays done; mend the cause and run it again to go on."""

    code = "migration-failed"


class DocumentFailedError(MigrationFailedError):
    """One document cannot be migrated. Those before it, in the order of `_id`, are."""

    code = "migration-document-failed"

    def __init__(self, collection: str, document_id: object, reason: str) -> None:
        super().__init__(f"The document of {collection} with _id {document_id!r} cannot be migrated: {reason}")
        self.collection = collection
        self.document_id = document_id
        self.reason = reason
