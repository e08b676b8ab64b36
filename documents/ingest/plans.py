"""What was planned of loads and the quarantine, to be run under a deadline."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from documents.database.deadline import Deadline, Running
from documents.ingest.quarantine import Chosen, Quarantined, QuarantineStore

T = TypeVar("T")

WALK_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """Something that will be done.

    Args:
        work: Does it.
        writes: Whether that may change something.
    """

    work: Callable[[], Awaitable[T]]
    writes: bool = False

    async def run(self, deadline: Deadline) -> T:
        """Run the plan."""
        with Running(deadline, writes=self.writes):
            return await self.work()


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """Records of the quarantine that will be read one by one.

    Args:
        quarantine: Where they are.
        collection: Whose.
        chosen: Records in quarantine to take.
    """

    quarantine: QuarantineStore
    collection: str
    chosen: Chosen

    async def run(self, *, seconds: float) -> AsyncGenerator[Quarantined]:
        """Yield them in their order.

        Args:
            seconds: Longest that MongoDB may take at once. Who takes the records may take any time.
        """
        after: str | None = None
        while True:
            with Running(Deadline(seconds), writes=False):
                several = await self.quarantine.find(self.collection, self.chosen, after=after, limit=WALK_AT_ONCE)
            for each in several:
                with Running(Deadline(seconds), writes=False):
                    whole = await self.quarantine.completed(each)
                yield whole
            if not several:
                return
            after = several[-1].id
