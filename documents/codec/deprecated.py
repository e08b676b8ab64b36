"""Values of the three BSON types that MongoDB deprecated and that Python's `bson` reads as others.

They only come from Extended JSON and only go into BSON. None is a subclass of the type it resembles: `bson` would then
write it as that.
"""

from dataclasses import dataclass
from typing import Final, final

from bson.objectid import ObjectId


@final
@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of BSON: a string but for its type."""

    text: str


@final
@dataclass(frozen=True, slots=True)
class DBPointer:
    """A reference to a document, from before there was DBRef.

    Args:
        namespace: Collection, with or without its database.
        id: The document's id.
    """

    namespace: str
    id: ObjectId


@final
class Undefined:
    """The type of UNDEFINED."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()
"""The undefined value of BSON, which is not null."""
