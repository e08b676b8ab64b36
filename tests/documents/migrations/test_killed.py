"""Backfills that are killed, or suspended until another has taken over."""

import asyncio
import hashlib
import random
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from documents.database.connection import Connection
from documents.migrations.held import LOCKS, MIGRATIONS
from documents.migrations.lock import break_lock, read_holder
from tests.documents.migrations.child import LOST, NAME

pytestmark = pytest.mark.slow

SIZE = 30_000
KILLS = 4
MOST_KILOBYTES = 200 * 1024
BATCH_SECONDS = 0.005
"""About as long as a batch takes. Nothing depends on it but where in the batch the signal comes."""

LONG_SECONDS = 600.0
SHORT_SECONDS = 3.0


class Child:
    """A running backfill."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def read(self) -> tuple[str, int]:
        """Return its next line: a word and a number, which is 0 where there is none; no word at its end."""
        assert self.process.stdout is not None
        word, _, rest = (await self.process.stdout.readline()).decode().strip().partition(" ")
        return word, int(rest) if rest.isdigit() else 0

    def let_go_on(self) -> None:
        """Let it do one more batch."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def reach(self, done: int) -> None:
        """Return when so many documents are done, at some moment in the midst of the next batch."""
        while True:
            word, count = await self.read()
            assert word == "done", word
            self.let_go_on()
            if count >= done:
                return await asyncio.sleep(random.uniform(0, BATCH_SECONDS))

    async def finish(self) -> dict[str, int]:
        """Return the last number behind each word, once it has ended."""
        said: dict[str, int] = {}
        while (line := await self.read())[0]:
            said[line[0]] = line[1]
            if line[0] == "done":
                self.let_go_on()
        await self.process.wait()
        return said


@asynccontextmanager
async def backfilling(connection: Connection, uri: str, repository: Path, seconds: float) -> AsyncGenerator[Child]:
    """Start a backfill, and see that it is gone in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.documents.migrations.child",
        uri,
        connection.database.name,
        str(seconds),
        cwd=repository,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def fill(connection: Connection) -> None:
    documents = [{"_id": place if place % 2 else str(place), "text": "x" * 50, "n": place} for place in range(SIZE)]
    await connection.collection(NAME).insert_many(documents, ordered=False)


async def hash_of(connection: Connection, without: dict[str, Any]) -> str:
    """Return a hash of everything stored but some fields."""
    found = hashlib.sha256()
    async for each in connection.raw_collection(NAME).find({}, without, sort={"_id": 1}):
        found.update(each.raw)
    return found.hexdigest()


async def assert_each_once(connection: Connection, others: str) -> None:
    assert await connection.collection(NAME).count_documents({"times": 1}) == SIZE
    assert await connection.collection(NAME).estimated_document_count() == SIZE
    assert await hash_of(connection, {"times": 0}) == others


async def test_killed_again_and_again_it_changes_each_document_once(
    connection: Connection, mongo_uri: str, repository: Path
) -> None:
    await fill(connection)
    others = await hash_of(connection, {"times": 0})
    moments = sorted(random.sample(range(SIZE * 9 // 10), KILLS))
    for moment in moments:
        async with backfilling(connection, mongo_uri, repository, LONG_SECONDS) as child:
            await child.reach(moment)
            child.process.kill()
            await child.process.wait()
        assert child.process.returncode == -signal.SIGKILL, moments
        assert await break_lock(connection.database) is not None
    async with backfilling(connection, mongo_uri, repository, LONG_SECONDS) as child:
        said = await child.finish()
    assert child.process.returncode == 0
    assert said["done"] == SIZE
    assert said["peak"] < MOST_KILOBYTES
    await assert_each_once(connection, others)


async def make_expire(connection: Connection) -> None:
    moved = [{"$set": {"expires": {"$subtract": ["$$NOW", 1]}}}]
    await connection.database[LOCKS].update_one({"_id": MIGRATIONS}, moved)


async def wait_until_expired(connection: Connection) -> None:
    while await read_holder(connection.database) is not None:  # noqa: ASYNC110  # MongoDB tells nobody of it
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("seconds", "expire"),
    [
        # Its own clock says that it still holds the lock, so that only the token stands in its way.
        (LONG_SECONDS, make_expire),
        pytest.param(SHORT_SECONDS, wait_until_expired, marks=pytest.mark.alone),
    ],
)
async def test_who_was_suspended_too_long_writes_nothing_more(
    connection: Connection,
    mongo_uri: str,
    repository: Path,
    seconds: float,
    expire: Callable[[Connection], Awaitable[None]],
) -> None:
    await fill(connection)
    others = await hash_of(connection, {"times": 0})
    async with backfilling(connection, mongo_uri, repository, seconds) as first:
        await first.reach(random.randrange(SIZE // 2))
        first.process.send_signal(signal.SIGSTOP)
        await expire(connection)
        async with backfilling(connection, mongo_uri, repository, LONG_SECONDS) as second:
            await second.finish()
        assert second.process.returncode == 0
        await assert_each_once(connection, others)
        everything = await hash_of(connection, {})
        first.process.send_signal(signal.SIGCONT)
        assert "lost" in await first.finish()
    assert first.process.returncode == LOST
    assert await hash_of(connection, {}) == everything
    await assert_each_once(connection, others)
