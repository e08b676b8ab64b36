"""The brake before the disk is full."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from documents.database import disk
from documents.database.disk import kept_free, watch_disk


@pytest.mark.parametrize(
    ("total", "reserve", "kept"), [(10_000, 500, 500), (10_000, 5_000, 1_000), (10_000, 0, 0), (0, 500, 0)]
)
def test_a_tenth_of_a_disk_at_most_is_kept_free(total: int, reserve: int, kept: int) -> None:
    assert kept_free(total, reserve) == kept


async def test_it_is_said_at_each_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "SAMPLE_SECONDS", 0)
    connection = SimpleNamespace(shortage=None)
    seen: list[bool] = []
    frees = iter([500, 101, 99, 99, 105, 111, 111])

    def usage(_: Path) -> tuple[int, int, int]:
        seen.append(connection.shortage is not None)
        free = next(frees, None)
        if free is None:
            raise FileNotFoundError
        return 10_000, 0, free

    await asyncio.wait_for(watch_disk(tmp_path, cast("Any", connection), 100, usage=usage), 5)
    assert seen == [False, False, False, True, True, True, False, False]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "99 bytes left, and 100 are kept free" in caplog.text
