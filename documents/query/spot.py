"""Where a compiler is: the spot in what was sent, the field it is about, and what the compilation may still use."""

from dataclasses import dataclass, field
from typing import Final

from documents.query.filter.shown_ids import ShownIds
from documents.query.paths import declared_path
from documents.query.refusal import RefusedError
from documents.types import FieldTypes, child

MAX_DEPTH: Final = 20
MAX_NODES: Final = 500


@dataclass(slots=True)
class Compilation:
    """One filter on its way through the compiler.

    Args:
        types: How declared fields read their operands.
        literal: Whether a text means nothing but itself where no field is declared.
        ids: Reads an `_id` to be equal to as each id that a list would show so; None to read it as any other field.
        nodes: Operators so far.
        paths: Fields so far.
        regex_work: Steps of all regular expressions so far, for each character of a text.
    """

    types: FieldTypes
    literal: bool = False
    ids: ShownIds | None = None
    nodes: int = 0
    paths: set[str] = field(default_factory=set[str])
    regex_work: float = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """One place in it."""

    compilation: Compilation
    pointer: str
    path: str = ""
    depth: int = 0

    def at(self, *tokens: object) -> "Spot":
        """Return the spot at `tokens` below, about the same field."""
        return Spot(self.compilation, child(self.pointer, *tokens), self.path, self.depth)

    def inside(self, *tokens: object) -> "Spot":
        """Return the spot at `tokens` below, one level deeper."""
        if self.depth >= MAX_DEPTH:
            raise self.refused("too-deep", f"A filter is nested at most {MAX_DEPTH} levels deep.")
        return Spot(self.compilation, child(self.pointer, *tokens), self.path, self.depth + 1)

    def about(self, name: str) -> "Spot":
        """Return the spot about the field `name` of what this one is about."""
        path = f"{self.path}.{name}" if self.path else name
        self.compilation.paths.add(declared_path(path))
        return Spot(self.compilation, child(self.pointer, name), path, self.depth)

    @property
    def ids(self) -> ShownIds | None:
        """How an id to be equal to is read, where the field is the document's `_id`."""
        return self.compilation.ids if self.path == "_id" and not self.compilation.literal else None

    def spend(self) -> None:
        """Count one node."""
        self.compilation.nodes += 1
        if self.compilation.nodes > MAX_NODES:
            raise self.refused("too-large", f"A filter has at most {MAX_NODES} operators.")

    def refused(self, code: str, detail: str) -> RefusedError:
        """Return the refusal of what is here."""
        return RefusedError(self.pointer, code, detail)
