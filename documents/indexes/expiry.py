"""Documents that a TTL index would delete as soon as it is built."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection

from documents.indexes.changes import Action, IndexChange, IndexPlan, Permission, Permissions
from documents.indexes.failures import translated
from documents.indexes.spec import IndexSpec
from documents.types import Document

EXPIRY: Final = "expireAfterSeconds"
MOST: Final = 1_000_000
"""Documents up to which they are counted."""

_BUILDS: Final = frozenset({Action.CREATE, Action.MODIFY, Action.REBUILD})


async def hold_deletions(collection: AsyncCollection[Document], plan: IndexPlan, permissions: Permissions) -> IndexPlan:
    """Block each index that would delete documents at once, unless `shorten_ttl` names it; say how many."""
    return IndexPlan(tuple([await _held(collection, change, permissions) for change in plan.changes]))


async def _held(collection: AsyncCollection[Document], change: IndexChange, permissions: Permissions) -> IndexChange:
    spec = change.declared
    if spec is None or not _sets_expiry(change, spec):
        return change
    due = await _count_due(collection, spec)
    if not due:
        return change
    number = f"{due:,}{' or more' if due == MOST else ''}"
    note = " ".join(filter(None, (change.note, f"It deletes {number} documents at once: their time is over.")))
    if change.action is not Action.CREATE or spec.name in permissions.shorten_ttl:
        return replace(change, note=note)
    blocked = f"{number} documents would be deleted at once, which has not been confirmed for {spec.name!r}."
    return replace(change, blocked=blocked, needs=(*change.needs, Permission.SHORTEN_TTL))


def _sets_expiry(change: IndexChange, spec: IndexSpec) -> bool:
    if change.action not in _BUILDS or EXPIRY not in spec.options:
        return False
    return change.action is Action.CREATE or any(difference.option == EXPIRY for difference in change.differences)


async def _count_due(collection: AsyncCollection[Document], spec: IndexSpec) -> int:
    try:
        until = datetime.now(UTC) - timedelta(seconds=float(spec.options[EXPIRY]))
    except OverflowError:  # before the year 1
        return 0
    due = {"$and": [{spec.keys[0][0]: {"$lt": until}}, spec.options.get("partialFilterExpression", {})]}
    async with translated(writes=False):
        return await collection.count_documents(due, limit=MOST)
