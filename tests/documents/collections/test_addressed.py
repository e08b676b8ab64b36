"""What finding documents by the ids that lists show costs: commands that are sent."""

from collections.abc import AsyncGenerator

import pytest

from documents.access.policy import FULL
from documents.catalog.catalog import Catalog
from documents.collections.committer import Committer
from documents.collections.finder import Finder
from documents.collections.loader import Loader
from documents.collections.operations import Delete, Insert, MergePatch, Patch, Replace, Write
from documents.collections.plan import Planner
from documents.collections.services import Services
from documents.database.cursor_secret import CursorSecret
from documents.database.deadline import Deadline
from tests.documents.collections.conftest import Watched

HEX = "6751f0c0a1b2c3d4e5f60718"
WRITES: list[tuple[Write, list[str]]] = [
    (Replace("things", HEX, {"n": 1}), ["find", "update"]),
    (Replace("things", HEX, {"n": 2}), ["find", "update"]),
    (Replace("things", HEX, {"n": 3}, literal=True), ["find", "update"]),
    (Patch("things", HEX, MergePatch({"n": 4})), ["find", "findAndModify"]),
    (Delete("things", HEX), ["delete"]),
]


@pytest.fixture
async def planner(watched: Watched) -> AsyncGenerator[Planner]:
    connection = watched.connection
    loader, finder, committer = Loader(connection), Finder(), Committer(connection)
    yield Planner(Services(connection, Catalog(connection, ()), loader, finder, committer, CursorSecret(connection)))
    for each in (loader, finder, committer):
        await each.close()


@pytest.mark.parametrize("is_mixed", [False, True])
async def test_writes_at_an_address(planner: Planner, watched: Watched, *, is_mixed: bool) -> None:
    """A document that is not there yet costs no more than one that is; nor do ids of several types."""
    if is_mixed:
        await watched.connection.collection("things").insert_many([{"_id": 5}, {"_id": "x"}])
    else:
        await (await planner.write(Insert("things", {"n": 0}), FULL)).run(Deadline(10))
    for write, names in WRITES:
        plan = await planner.write(write, FULL)
        watched.commands.sent.clear()
        await plan.run(Deadline(10))
        sent = [name for name, _ in watched.commands.sent]
        assert sent == (names if not is_mixed or isinstance(write, Replace) else ["find", *names]), write
