"""Names in the document: of schemas, and of what operations are about. All unique, and the same from day to day."""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

ENDINGS: Final = ("", "Input", "Patch", "Page", "Operation")
"""What stands behind the name of a collection's schema in the names of those that belong to it."""

_BETWEEN: Final = re.compile(r"[_-]+")
_SUFFIX_BYTES: Final = 4


class Names:
    """Gives out names; nobody gets one that another has.

    Args:
        taken: Names that nobody gets.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def claim(self, wanted: str, *, for_collection: str) -> str:
        """Return `wanted`, or, if another has it, the same with an ending that is the collection's own."""
        name = wanted
        if self._taken.intersection(_belonging(name)):
            name = f"{wanted}_{blake2b(for_collection.encode(), digest_size=_SUFFIX_BYTES).hexdigest()}"
        self._taken.update(_belonging(name))
        return name


def _belonging(name: str) -> set[str]:
    return {name + ending for ending in ENDINGS}


def pascal_case(collection: str) -> str:
    """Return a collection's name as the name of a type: `order-items` is `OrderItems`."""
    return "".join(part[:1].upper() + part[1:] for part in _BETWEEN.split(collection))


def spaced(name: str) -> str:
    """Return the name of a type as words: `OrderItems` is `order items`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
