"""Whether an index gives the order of a list, so that MongoDB reads a page and no more.

What is told here chooses the cheaper of two ways to the same documents; where it is wrong, it costs time alone.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

Keys: TypeAlias = Sequence[tuple[str, object]]


def gives_order(index: Keys, sort: Keys, equal: Collection[str]) -> bool:
    """Say whether an index has the order of `sort` among the documents that share a value in each field of `equal`.

    Args:
        index: Its fields and directions. An index of another kind than 1 and -1 gives none.
        sort: Fields and directions.
        equal: Fields of which a filter wants one value.
    """
    # An index is only searched for the values of its later fields where its first one is given, too.
    pinned = {path for path, _ in index if path in equal} if index and index[0][0] in equal else set[str]()
    wanted = [key for key in sort if key[0] not in pinned]
    offered = [key for key in index if key[0] not in pinned][: len(wanted)]
    return offered == wanted or offered == [(path, -way) for path, way in wanted if isinstance(way, int)]


def any_gives_order(indexes: Iterable[Keys], sort: Keys, equal: Collection[str]) -> bool:
    """Say whether one of `indexes` has the order of `sort`."""
    return any(gives_order(index, sort, equal) for index in indexes)
