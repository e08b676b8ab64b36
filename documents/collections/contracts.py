"""Requests about the contract of one collection: planned under a policy, run within a deadline."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from documents.access.actions import Action
from documents.access.policy import Policy
from documents.catalog.catalog import CollectionEntry
from documents.catalog.metadata import Deed
from documents.collections.operations import UNCONDITIONAL, Precondition
from documents.collections.services import Services
from documents.contracts.contract import Contract, parse_contract
from documents.contracts.store import ContractStore, ContractVersion
from documents.database.deadline import Deadline, Running
from documents.errors import ContractConflictError, ContractNotFoundError, PreconditionFailedError


@dataclass(frozen=True, slots=True)
class ReadContract:
    """Read the current contract of a collection, or a version of it."""

    collection: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class SetContract:
    """Set the contract of a collection: what `parse_contract` reads."""

    collection: str
    contract: object
    precondition: Precondition = UNCONDITIONAL


@dataclass(frozen=True, slots=True)
class RemoveContract:
    """Take the contract of a collection off. Its versions stay."""

    collection: str
    precondition: Precondition = UNCONDITIONAL


@dataclass(frozen=True, slots=True)
class ContractReport:
    """A version of a contract.

    Args:
        found: What was found, and how.
        discarded: How often each path was discarded, under all versions; None where an earlier version was asked for.
        is_new: Whether the collection had no contract before.
    """

    found: ContractVersion
    discarded: Mapping[str, int] | None = None
    is_new: bool = False


class ContractPlanner:
    """Plans what is asked about contracts.

    Args:
        services: What the plans stand on.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def read(self, operation: ReadContract, policy: Policy) -> "ReadContractPlan":
        """Plan to read one."""
        policy.require(operation.collection, Action.READ)
        return ReadContractPlan(self._services.catalog.contracts, operation)

    async def set(self, operation: SetContract, policy: Policy) -> "WriteContractPlan":
        """Plan to set one.

        Raises:
            InvalidContractError: It cannot be meant.
            ContractConflictError: A model declares the collection.
            QueryRefusedError: It is of a kind that has no contract.
        """
        policy.require(operation.collection, Action.CONFIGURE)
        entry = await self._refuse_declared(operation.collection)
        contract = await asyncio.to_thread(parse_contract, operation.contract)
        if entry is not None:
            entry.check_kind(Deed.MIRROR if contract.mirror else Deed.CONTRACT)
        return WriteContractPlan(
            self._services.catalog.contracts, operation.collection, contract, operation.precondition, policy.name
        )

    async def remove(self, operation: RemoveContract, policy: Policy) -> "WriteContractPlan":
        """Plan to take one off."""
        policy.require(operation.collection, Action.CONFIGURE)
        await self._refuse_declared(operation.collection)
        return WriteContractPlan(
            self._services.catalog.contracts, operation.collection, None, operation.precondition, policy.name
        )

    async def _refuse_declared(self, name: str) -> CollectionEntry | None:
        entry = await self._services.catalog.get_bare_or_none(name)
        if entry is not None and entry.model is not None:
            raise ContractConflictError("A model declares this collection, and so decides what its documents are like.")
        return entry


@dataclass(frozen=True, slots=True)
class ReadContractPlan:
    """Read a contract."""

    contracts: ContractStore
    operation: ReadContract

    async def run(self, deadline: Deadline) -> ContractReport:
        """Run the plan and return what it gives.

        Raises:
            ContractNotFoundError: There is none, or it has no such version.
        """
        name, version = self.operation.collection, self.operation.version
        with Running(deadline, writes=False):
            found = await self.contracts.read(name, version)
            if found is None or (found.contract is None and version is None):
                raise ContractNotFoundError(name)
            return ContractReport(found, await self.contracts.discards.of(name) if version is None else None)


@dataclass(frozen=True, slots=True)
class WriteContractPlan:
    """Set a contract, or take it off."""

    contracts: ContractStore
    collection: str
    contract: Contract | None
    precondition: Precondition
    by: str

    async def run(self, deadline: Deadline) -> ContractReport:
        """Return the new version.

        Raises:
            PreconditionFailedError: The contract is not the one that was expected.
            ContractNotFoundError: There is none to take off.
        """
        with Running(deadline, writes=True):
            written, is_new = await self.contracts.write(self.collection, self.contract, by=self.by, check=self._check)
        return ContractReport(written, is_new=is_new)

    def _check(self, current: ContractVersion | None) -> None:
        etag = None if current is None else current.etag
        required, forbidden = self.precondition.if_match, self.precondition.if_none_match
        if required is not None and (etag is None or not required.matches(etag)):
            raise PreconditionFailedError(etag)
        if forbidden is not None and etag is not None and forbidden.matches(etag, weakly=True):
            raise PreconditionFailedError(etag)
        if current is None and self.contract is None:
            raise ContractNotFoundError(self.collection)
