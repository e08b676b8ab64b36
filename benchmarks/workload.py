"""What is measured: each workload is an action, a number of connections and a collection to do it on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What a client asks for."""

    GET = "get"
    INSERT = "insert"
    LIST = "list"
    FILTERED = "filtered"
    PATCH = "patch"
    MIX = "mix"
    DEEP = "deep"


class Dataset(StrEnum):
    """The collection that a workload finds. Only `writes` is written to, and is made anew for each contender."""

    THOUSAND = "thousand"
    WRITES = "writes"
    MILLION = "million"


SIZES: Final = {Dataset.THOUSAND: 1_000, Dataset.WRITES: 1_000, Dataset.MILLION: 1_000_000}
PAGE: Final = 100
DEEP_PAGE: Final = 10_000
FILTERED_PAGE: Final = 20
MIX: Final = ((80, Action.GET), (10, Action.INSERT), (10, Action.PATCH))


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One row of the table."""

    name: str
    title: str
    action: Action
    connections: int = 64
    dataset: Dataset = Dataset.THOUSAND
    is_essential: bool = False
    "Whether a quick run has it."


# In the order they run within a dataset. The deep page is last: what a slow contender has not answered when its
# time is up still burdens the database for a while, and nothing comes after it.
WORKLOADS: Final = (
    Workload(name="get-64", title="get by id", action=Action.GET, is_essential=True),
    Workload(name="get-1", title="get by id, 1 connection", action=Action.GET, connections=1, is_essential=True),
    Workload(name="list-64", title="list 100", action=Action.LIST, is_essential=True),
    Workload(name="filtered-64", title="list 20, filtered and sorted by an index", action=Action.FILTERED),
    Workload(name="insert-64", title="insert one", action=Action.INSERT, dataset=Dataset.WRITES, is_essential=True),
    Workload(
        name="insert-1",
        title="insert one, 1 connection",
        action=Action.INSERT,
        connections=1,
        dataset=Dataset.WRITES,
        is_essential=True,
    ),
    Workload(name="patch-64", title="patch one", action=Action.PATCH, dataset=Dataset.WRITES, is_essential=True),
    Workload(name="mix-64", title="80 get, 10 insert, 10 patch", action=Action.MIX, dataset=Dataset.WRITES),
    Workload(name="get-64-million", title="get by id, of a million", action=Action.GET, dataset=Dataset.MILLION),
    Workload(
        name="get-1-million",
        title="get by id, of a million, 1 connection",
        action=Action.GET,
        connections=1,
        dataset=Dataset.MILLION,
    ),
    Workload(
        name="deep-64",
        title=f"page {DEEP_PAGE:,} of {PAGE}",
        action=Action.DEEP,
        dataset=Dataset.MILLION,
        is_essential=True,
    ),
)
