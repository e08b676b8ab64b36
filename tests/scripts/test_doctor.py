"""What `sheaf doctor` finds in a project and in its database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from documents.lifecycle import Store
from documents.project.project import Project
from documents.settings import Settings
from scripts.doctor_checks import check_clock, check_migrations, check_policies, find_skew


@pytest.mark.parametrize(
    ("text", "verdict", "says"),
    [
        (None, "ok", "none"),
        ("roles:\n  reader:\n    a: {actions: [read]}\n", "ok", "roles reader"),
        ("roles:\n  reader:\n    a: {actions: [red]}\n", "error", "Line 3"),
        ("roles: [", "error", "Line"),
    ],
)
def test_policies(settings: Settings, tmp_path: Path, text: str | None, verdict: str, says: str) -> None:
    if text is not None:
        (tmp_path / "policies.yaml").write_text(text)
    found = check_policies(settings.model_copy(update={"project": tmp_path}))
    assert (found.verdict, says in found.detail) == (verdict, True), found


async def test_migrations_that_are_pending(store: Store, repository: Path) -> None:
    [found, *_] = await check_migrations(store.connection, Project(repository / "examples" / "shop"))
    assert found.subject == "migrations"
    assert found.verdict == "warning"
    assert "pending" in found.detail
    assert "sheaf migrate" in found.detail


async def test_no_project_has_no_migrations(store: Store, tmp_path: Path) -> None:
    assert await check_migrations(store.connection, None) == []
    assert await check_migrations(store.connection, Project(tmp_path)) == []


@pytest.mark.parametrize(("seconds", "verdict"), [(0.5, "ok"), (-0.5, "ok"), (5, "warning"), (-5, "warning")])
def test_clocks(seconds: float, verdict: str) -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    [found] = find_skew({"localTime": (now + timedelta(seconds=seconds)).replace(tzinfo=None)}, now, now)
    assert found.verdict == verdict


async def test_the_clock_here_is_that_of_mongodb(store: Store) -> None:
    assert [finding.verdict for finding in await check_clock(store.connection)] == ["ok"]
    assert find_skew({}, datetime.now(UTC), datetime.now(UTC)) == []
