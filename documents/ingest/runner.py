"""Jobs in the background of a process that serves: those that it is told of, and those that others have left."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from documents.database.deadline import Deadline, Running
from documents.errors import JobConflictError, JobLostError, StoreError
from documents.ingest.ingestion import Ingestion
from documents.ingest.jobs import State
from documents.ingest.load import PATIENCE_SECONDS
from documents.ingest.meter import Progress

AT_ONCE: Final = 2
"""Jobs that a process works on side by side; each has several transactions under way."""

SHORT_AT_ONCE: Final = 8
"""Jobs of a moment that it works on besides, so that those need not wait for one that takes hours."""

LOOK_SECONDS: Final = 5.0
STEP_SECONDS: Final = 10.0
ABANDONED_AFTER: Final = timedelta(hours=24)
"""An upload of which nothing has come for so long is given up, and what has come of it is forgotten; so is the upload
of a load that has stopped so long ago."""

_log = logging.getLogger("sheaf")


class JobRunner:
    """Works on jobs in the background.

    Args:
        ingestion: Runs them.
    """

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._short_slots = asyncio.Semaphore(SHORT_AT_ONCE)
        self._waiting = Counter[asyncio.Semaphore]()

    def start(self, job_id: str, *, is_short: bool = False) -> asyncio.Task[None]:
        """Work on a job, unless this process does so already. Who awaits the task does not see it fail: the job tells.

        Shield the task (`asyncio.shield`) where it is awaited: it goes on when nobody waits for it any more.

        Args:
            job_id: Id of the job.
            is_short: Whether all it loads is here, and little.
        """
        task = self._tasks.get(job_id)
        if task is None:
            slots = self._short_slots if is_short else self._slots
            task = self._tasks[job_id] = asyncio.create_task(self._work(job_id, slots))
            task.add_done_callback(lambda _: self._tasks.pop(job_id, None))
        return task

    async def look(self) -> None:
        """Take up what others have left, and give up the uploads that nobody goes on with. Do so again and again."""
        while True:
            try:
                await self._look()
            except StoreError as error:
                _log.warning("Jobs were not looked for, which is tried again: %s", error.detail)
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # the driver may answer a cancellation with an error of its own
                raise asyncio.CancelledError
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Stop. Whatever was under way, another process goes on with, or this one when it is started again."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        stores = self._ingestion.stores
        with Running(Deadline(STEP_SECONDS), writes=True):
            for job in await stores.jobs.waiting():
                self.start(job.id)
            since = datetime.now(UTC).replace(tzinfo=None) - ABANDONED_AFTER
            for job in await stores.jobs.stalled(since):
                last = await stores.uploads.last_arrival(job.id)
                if (last is None or last < since) and await stores.jobs.give_up(job.id):
                    await stores.uploads.remove(job.id)
            for job in await stores.jobs.stopped(since):
                if await stores.jobs.forget_upload(job.id):
                    await stores.uploads.remove(job.id)
            for job in await stores.jobs.staged(since):
                if await stores.jobs.forget_staging(job.id):
                    await self._ingestion.staging(job.id).drop()

    async def _work(self, job_id: str, slots: asyncio.Semaphore) -> None:
        async with self._turn(slots):
            try:
                await self._go(job_id)
            except (JobConflictError, JobLostError) as error:
                _log.debug("Job %s is not worked on here: %s", job_id, error.detail)
            except StoreError as error:
                _log.warning("Job %s stopped: %s", job_id, error.detail)
            except Exception:  # noqa: BLE001  # logged with its traceback; other jobs go on
                _log.exception("Job %s failed.", job_id)

    async def _go(self, job_id: str) -> None:
        with Running(Deadline(STEP_SECONDS), writes=False):
            job = await self._ingestion.stores.jobs.get(job_id)
        if job.state is State.UNDOING:
            async with aclosing(self._ingestion.take_back(job_id)) as undones:
                async for _ in undones:
                    pass
            return
        async with aclosing(self._run(job_id)) as progresses:
            async for _ in progresses:
                pass

    @asynccontextmanager
    async def _turn(self, slots: asyncio.Semaphore) -> AsyncGenerator[None]:
        self._waiting[slots] += 1
        try:
            await slots.acquire()
        finally:
            self._waiting[slots] -= 1
        try:
            yield
        finally:
            slots.release()

    def _run(self, job_id: str) -> AsyncGenerator[Progress]:
        return self._ingestion.run(
            job_id, patience_seconds=PATIENCE_SECONDS, is_wanted=lambda: self._waiting[self._slots] > 0
        )


@asynccontextmanager
async def running_jobs(ingestion: Ingestion, *, is_idle: bool = False) -> AsyncGenerator[JobRunner]:
    """Work on jobs in the background of this.

    Args:
        ingestion: Runs them.
        is_idle: Do not look for jobs that others have left, as where nothing may be written.
    """
    runner = JobRunner(ingestion)
    looking = None if is_idle else asyncio.create_task(runner.look())
    try:
        yield runner
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.wait({looking})
        await runner.close()
