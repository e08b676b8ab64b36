"""What `sheaf doctor` looks at in a project and in its database: policies, migrations, clocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import InputError, StoreError
from documents.lifecycle import read_policies
from documents.migrations.revisions import load_revisions
from documents.migrations.state import read_state
from documents.project.project import Project
from documents.settings import Settings, SettingsError

Verdict: TypeAlias = Literal["ok", "warning", "error"]
SKEW_SECONDS: Final = 1.0
"""From when on clocks disagree so much that times in documents and logs mislead."""

PROBE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    detail: str


def check_policies(settings: Settings) -> Finding:
    """Say whether a server would start with the project's policies."""
    try:
        policies = read_policies(settings)
    except InputError as error:
        return Finding("policies", "error", " ".join([error.detail, *(fault.detail for fault in error.faults)]))
    except (StoreError, SettingsError) as error:
        return Finding("policies", "error", str(error))
    if policies is None:
        return Finding("policies", "ok", "none: whoever reaches a server may do everything")
    return Finding("policies", "ok", f"roles {', '.join(sorted(policies.roles)) or 'none'}")


async def check_migrations(connection: Connection, project: Project | None) -> list[Finding]:
    """Say which revisions are not applied, or not as their files have them."""
    if project is None or not project.migrations.is_dir():
        return []
    try:
        state = await read_state(connection, load_revisions(project.migrations))
    except StoreError as error:
        return [Finding("migrations", "error", error.detail)]
    troubles = [
        Finding("migrations", "error" if word == "failed" else "warning", f"{word}: {revision}. To mend it: {mend}")
        for word, revision, mend in state.troubles()
    ]
    return troubles or [Finding("migrations", "ok", ", ".join(state.current) or "none")]


async def check_clock(connection: Connection) -> list[Finding]:
    """Say how far MongoDB's clock is from the one here."""
    began = datetime.now(UTC)
    with Running(Deadline(PROBE_SECONDS), writes=False):
        hello = await connection.ping()
    return find_skew(hello, began, datetime.now(UTC))


def find_skew(hello: Mapping[str, Any], began: datetime, ended: datetime) -> list[Finding]:
    """Return what the moment in an answer says of a clock.

    Args:
        hello: The answer of MongoDB.
        began: When it was asked.
        ended: When the answer was here. Its clock was read at some moment between the two.
    """
    local: datetime | None = hello.get("localTime")
    if local is None:
        return []
    local = local if local.tzinfo else local.replace(tzinfo=UTC)
    skew = max((began - local).total_seconds(), (local - ended).total_seconds(), 0.0)
    if skew > SKEW_SECONDS:
        return [Finding("clock", "warning", f"MongoDB's clock is {skew:.1f} s from the one here")]
    return [Finding("clock", "ok", "as MongoDB's")]
