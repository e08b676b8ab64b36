"""What can be asked of collections, as values. A request is parsed into one; nothing has been looked up yet.

`literal` says of a write that each value is what JSON says, whatever type is stored in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from documents.codec.etag import Etags
from documents.types import Document

CountMode: TypeAlias = Literal["exact", "estimated", "bounded"]
BulkMode: TypeAlias = Literal["unordered", "ordered", "atomic"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which documents: every part must hold.

    Args:
        parameters: Pairs from the URL that are not reserved, such as `("price[gte]", "10")`.
        filter: A filter in JSON, its Extended JSON wrappers already decoded; None for none.
        text: Words for the text index.
        literal: Whether a text means nothing but itself where no field is declared.
    """

    parameters: Sequence[tuple[str, str]] = ()
    filter: object = None
    text: str | None = None
    literal: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was said; `filter={}` says something."""
        return not self.parameters and self.filter is None and self.text is None


@dataclass(frozen=True, slots=True)
class Precondition:
    """`If-Match` and `If-None-Match` of one operation."""

    if_match: Etags | None = None
    if_none_match: Etags | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to check."""
        return self.if_match is None and self.if_none_match is None


UNCONDITIONAL = Precondition()


@dataclass(frozen=True, slots=True)
class MergePatch:
    """RFC 7396."""

    patch: Document


@dataclass(frozen=True, slots=True)
class JsonPatch:
    """RFC 6902."""

    operations: object


@dataclass(frozen=True, slots=True)
class Update:
    """MongoDB's update operators, as they came."""

    operators: object


Change: TypeAlias = MergePatch | JsonPatch | Update


@dataclass(frozen=True, slots=True)
class Get:
    """Read one document. `id` is as the URL has it."""

    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class Find:
    """Read a page of documents. `place` is where faults point to: `?` for the URL, `/` for a body."""

    collection: str
    selection: Selection = field(default_factory=Selection)
    sort: object = None
    fields: object = None
    limit: int | None = None
    cursor: str | None = None
    count: CountMode | None = None
    place: str = "?"


@dataclass(frozen=True, slots=True)
class Count:
    """Count documents."""

    collection: str
    selection: Selection = field(default_factory=Selection)
    mode: CountMode = "exact"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Run an aggregation pipeline that writes nothing."""

    collection: str
    pipeline: object
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Store a new document."""

    collection: str
    document: Document


@dataclass(frozen=True, slots=True)
class Replace:
    """Store a document under an id, whether or not there is one already."""

    collection: str
    id: str
    document: Document
    precondition: Precondition = UNCONDITIONAL
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """Change one document."""

    collection: str
    id: str
    change: Change
    precondition: Precondition = UNCONDITIONAL
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one document."""

    collection: str
    id: str
    precondition: Precondition = UNCONDITIONAL


@dataclass(frozen=True, slots=True)
class Upsert:
    """Store a document in the place of the one with the same values in `on`, or as a new one.

    Args:
        collection: Where.
        document: What to store; has a value for each field in `on`.
        on: The natural key: `_id`, or fields under a unique index.
        merge: Whether the stored document is patched (RFC 7396) instead of replaced.
    """

    collection: str
    document: Document
    on: tuple[str, ...]
    merge: bool = False
    literal: bool = False


@dataclass(frozen=True, slots=True)
class UpdateMany:
    """Change all selected documents; all or none when a model has to agree or `max_affected` is given."""

    collection: str
    selection: Selection
    change: Change
    max_affected: int | None = None
    literal: bool = False


@dataclass(frozen=True, slots=True)
class DeleteMany:
    """Delete all selected documents; all or none when `max_affected` is given."""

    collection: str
    selection: Selection
    max_affected: int | None = None


Write: TypeAlias = Insert | Replace | Patch | Delete | Upsert
"""What concerns one document, and so can be part of a bulk request or a transaction."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Several writes to one collection. An item that could not be parsed is the error that says why."""

    collection: str
    writes: Sequence[Write | Exception]
    mode: BulkMode


@dataclass(frozen=True, slots=True)
class Transaction:
    """Several writes to any collections, all or none."""

    writes: Sequence[Write]
