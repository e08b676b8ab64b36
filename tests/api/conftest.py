"""The served API, for tests that need real connections."""

from collections.abc import Iterator

import pytest

from tests.faults import failing_mongo
from tests.server import Server, serve

__all__ = ["failing_mongo", "server"]


@pytest.fixture(scope="session")
def server(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a `sheaf serve` of this test process, on a database of its own, with the sample shop in it."""
    with serve(tmp_path_factory.mktemp("served"), uri=mongo_uri, database=f"served_{worker_id}") as started:
        yield started
