"""The plan for one collection as it is now."""

from collections.abc import Iterable, Sequence

from pymongo.asynchronous.collection import AsyncCollection

from documents.indexes.actual import read_default_collation, read_indexes
from documents.indexes.changes import IndexPlan, Permissions
from documents.indexes.expiry import hold_deletions
from documents.indexes.plan import NOTHING, plan_indexes
from documents.indexes.spec import IndexSpec
from documents.types import Document


async def compare_indexes(
    collection: AsyncCollection[Document],
    declared: Iterable[IndexSpec],
    *,
    ignore: Sequence[str] = (),
    permissions: Permissions = NOTHING,
) -> IndexPlan:
    """Read the indexes of a collection and plan for the declared ones (see `plan_indexes`). Changes nothing.

    Raises:
        StoreError: MongoDB cannot be asked, or the declarations contradict each other.
    """
    plan = plan_indexes(
        declared,
        await read_indexes(collection),
        ignore=ignore,
        permissions=permissions,
        default_collation=await read_default_collation(collection),
    )
    return await hold_deletions(collection, plan, permissions)
