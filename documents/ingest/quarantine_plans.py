"""What can be asked about the quarantine, planned under a policy."""

from functools import partial
from typing import Final

from documents.access.actions import Action
from documents.access.policy import Policy
from documents.catalog.metadata import Deed
from documents.codec.records import Format
from documents.collections.services import Services
from documents.errors import FilterRequiredError
from documents.ingest.jobs import Job, Load, Origin
from documents.ingest.load import Stores
from documents.ingest.plans import Plan, WalkPlan
from documents.ingest.quarantine import Quarantined
from documents.ingest.requests import ChangeQuarantine, FindQuarantined, ReadQuarantined

DISCARD_AT_ONCE: Final = 1000


class QuarantinePlans:
    """Plans what is asked about the quarantine.

    Args:
        services: What it stands on.
        stores: Where loads keep their books.
    """

    def __init__(self, services: Services, stores: Stores) -> None:
        self._services = services
        self.stores: Final = stores

    async def quarantined(self, operation: FindQuarantined, policy: Policy) -> Plan[list[Quarantined]]:
        """Plan to read records of the quarantine."""
        policy.require(operation.collection, Action.READ)
        return Plan(partial(self._find_quarantined, operation))

    async def quarantined_all(self, operation: FindQuarantined, policy: Policy) -> WalkPlan:
        """Plan to read the records of the quarantine one by one, however many, each with all its bytes."""
        policy.require(operation.collection, Action.READ)
        return WalkPlan(self.stores.quarantine, operation.collection, operation.chosen)

    async def quarantined_one(self, operation: ReadQuarantined, policy: Policy) -> Plan[Quarantined]:
        """Plan to read one record of the quarantine, with all its bytes."""
        policy.require(operation.collection, Action.READ)
        return Plan(partial(self.stores.quarantine.get, operation.collection, operation.id))

    async def replay(self, operation: ChangeQuarantine, policy: Policy) -> Plan[Job]:
        """Plan a job that tries records of the quarantine again; `run` does it.

        Raises:
            QueryRefusedError: The collection is of a kind that takes no loads, by now.
        """
        policy.require(operation.collection, Action.CREATE, Action.UPDATE, Action.DELETE)
        _require_choice(operation)
        (await self._services.catalog.get_or_new(operation.collection)).check_kind(Deed.LOAD)
        return Plan(partial(self._create_replay, operation, policy.name), writes=True)

    async def discard(self, operation: ChangeQuarantine, policy: Policy) -> Plan[int]:
        """Plan to delete records of the quarantine for good. Gives how many there were."""
        policy.require(operation.collection, Action.DELETE)
        _require_choice(operation)
        return Plan(partial(self._discard, operation), writes=True)

    async def _find_quarantined(self, operation: FindQuarantined) -> list[Quarantined]:
        return await self.stores.quarantine.find(
            operation.collection,
            operation.chosen,
            after=operation.after,
            limit=operation.limit,
            head_bytes=operation.head_bytes,
        )

    async def _create_replay(self, operation: ChangeQuarantine, by: str) -> Job:
        load = Load(
            operation.collection,
            form=Format.EJSON,
            origin=Origin.QUARANTINE,
            name=f"quarantine of {operation.collection}",
        )
        chosen = {"ids": operation.chosen.ids, "job": operation.chosen.job, "code": operation.chosen.code}
        job, _ = await self.stores.jobs.create(load, by=by, chosen=chosen, force=operation.force)
        return job

    async def _discard(self, operation: ChangeQuarantine) -> int:
        quarantine, gone = self.stores.quarantine, 0
        while some := await quarantine.discard(operation.collection, operation.chosen, limit=DISCARD_AT_ONCE):
            gone += some
        return gone


def _require_choice(operation: ChangeQuarantine) -> None:
    if operation.chosen.is_everything and not operation.is_all:
        raise FilterRequiredError("This would concern every record in quarantine. To mean that, say all.")
