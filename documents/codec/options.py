"""How records are read, whatever their format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from documents.codec.dialect import Dialect, read_dialect
from documents.types import EMPTY


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How records are read.

    Args:
        limit: Bytes of one record. None is 16 MB, and in Extended JSON six times that, since its canonical form is that
            much longer than the BSON it stands for.
        start: Records that begin before this byte, decompressed, are passed over: where a reading that was broken off
            goes on, the `end` of the last record had of it.
        max_bytes: What a compressed stream may hold when decompressed.
        items: JSON: the member of an object whose array holds the documents, as `features` in GeoJSON.
        dialect: Tables: how they are written down.
        header: Tables: names of the columns, where the first row is already data.
        types: Tables: types of columns by name; see `csv_columns.parse_columns`.
        known: Tables: types that are declared for fields of the collection, by path.
        inferred: Tables: columns of `types` whose types were inferred when the table was read before.
        infer: Tables: infer the types of the others.
        nested: Tables: dots in names mean objects.
        any_keys: Take keys that no document may have, for who changes them; they are not looked at.
        sheet: Workbooks: the name of the sheet, or its number from 1.
    """

    limit: int | None = None
    start: int = 0
    max_bytes: int | None = None
    items: str | None = None
    dialect: Dialect = field(default_factory=Dialect)
    header: Sequence[str] | None = None
    types: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    known: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    inferred: Sequence[str] = ()
    infer: bool = False
    nested: bool = False
    sheet: str | None = None
    any_keys: bool = False

    def said(self) -> list[str]:
        """Return the names of the options that somebody gave, each of which has a meaning for some formats only."""
        names = [name for name in ("header", "types", "infer", "nested", "items", "sheet") if getattr(self, name)]
        return [*names, *self.dialect.given()]

    def to_record(self) -> dict[str, Any]:
        """Return the options as JSON has them; `start`, `limit`, `inferred` and `any_keys` are not kept."""
        return {
            "header": None if self.header is None else list(self.header),
            # As pairs, since the name of a column may begin with $, or have dots.
            "types": [list(pair) for pair in self.types.items()],
            "known": [list(pair) for pair in self.known.items()],
            "infer": self.infer,
            "nested": self.nested,
            "max_bytes": self.max_bytes,
            "items": self.items,
            "sheet": self.sheet,
            "dialect": self.dialect.given(),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "ReadOptions":
        """Return the options that `to_record` has written."""
        return cls(
            header=record["header"],
            types=dict(record["types"]),
            known=dict(record.get("known", ())),
            infer=record["infer"],
            nested=record["nested"],
            max_bytes=record["max_bytes"],
            items=record["items"],
            sheet=record.get("sheet"),
            dialect=read_dialect(record.get("dialect", {})),
        )

    def described(self) -> dict[str, Any]:
        """Return what tells two loads of the same data apart: how they are read, not what the collection declares."""
        return {name: value for name, value in self.to_record().items() if name not in {"known", "max_bytes"}}
