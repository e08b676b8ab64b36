"""The served API, for tests that need real connections."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.api.hostile.scene import Scene, set_up
from tests.faults import failing_mongo
from tests.server import Server, serve

__all__ = ["failing_mongo", "scene", "server"]

_NUMBERS = count()


@pytest.fixture(scope="session")
def server(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a `sheaf serve` of this test process, on a database of its own, with the sample shop in it."""
    with serve(tmp_path_factory.mktemp("served"), uri=mongo_uri, database=f"served_{worker_id}") as started:
        yield started


@pytest.fixture(scope="module")
def scene(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a `sheaf serve` with something to steal, on a database that no other test uses, under watch."""
    database = f"scene_{worker_id}_{next(_NUMBERS)}"
    with (
        serve(tmp_path_factory.mktemp("scene"), uri=mongo_uri, database=database) as started,
        set_up(started, mongo_uri, database) as scene,
    ):
        yield scene
