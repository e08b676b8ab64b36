"""`sheaf ingest`, killed with -9: run again until it is done, every record is there once, and comes out again."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from benchmarks.ingest_kills import CASES, Story

KILLS = {"lines": 4, "gzip": 2, "csv": 2, "upsert": 2}
RECORDS = {"lines": 80_000, "gzip": 30_000, "csv": 30_000, "upsert": 30_000}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_it_may_be_killed_at_any_moment(mongo_uri: str, tmp_path: Path, name: str) -> None:
    @contextmanager
    def connect() -> Generator[str]:
        yield mongo_uri

    database = f"killed_{uuid4().hex}"
    environ = {"SHEAF_MONGODB_URI": mongo_uri, "SHEAF_DATABASE": database}
    try:
        story = Story(tmp_path, CASES[name], records=RECORDS[name], environ=environ, connect=connect, seed=7)
        assert len(list(story.kill_load(KILLS[name]))) == KILLS[name]
        assert story.finish_load() == []
        if name == "lines":
            assert len(list(story.kill_undo(2))) == 2
            assert story.finish_undo() == []
    finally:
        with MongoClient[dict[str, Any]](mongo_uri) as client:
            client.drop_database(database)
