"""What a change of the declared fields asks of the stored documents (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from documents.migrations.graph import Phase
from documents.migrations.operations import AddField, BsonType, ConvertField, RemoveField, UpdateDocuments
from documents.migrations.paths import EACH, members_of, parse_path
from documents.migrations.proposal import CHOOSE, Step
from documents.migrations.snapshot import FieldSnapshot, Presence
from documents.migrations.stored_types import ANY, ARRAY, OBJECT
from documents.types import MISSING

Fields: TypeAlias = Mapping[str, FieldSnapshot]
Found: TypeAlias = Step | str
"""A step, or a remark."""

WIDENED: Final[Mapping[tuple[str, BsonType], BsonType | None]] = {
    ("int", BsonType.LONG): BsonType.INT,
    ("int", BsonType.DOUBLE): BsonType.INT,
    ("int", BsonType.DECIMAL): BsonType.INT,
    ("int", BsonType.STRING): None,  # a text such as "007" would not come back
    ("long", BsonType.DECIMAL): BsonType.LONG,
    ("long", BsonType.STRING): None,
    ("bool", BsonType.INT): BsonType.BOOL,
    ("bool", BsonType.STRING): None,  # MongoDB takes every text for true
    ("decimal", BsonType.STRING): None,
    ("objectId", BsonType.STRING): BsonType.OBJECT_ID,
    ("date", BsonType.STRING): BsonType.DATE,
}
"""Conversions that lose nothing, and the type that takes them back. A double is not among them: as a decimal or as a
text it has fewer digits."""


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """Compares the fields of one collection.

    Args:
        collection: Which one.
        before: Its fields, under the names that they have after renaming.
        after: Its fields as the models have them now.
    """

    collection: str
    before: Fields
    after: Fields

    def find(self) -> Iterator[Found]:
        """Yield what is to be done, by path."""
        for path in sorted(self.before.keys() | self.after.keys()):
            if path == "_id":
                yield from self._id()
            elif not all(self._is_compared(parent) for parent in _parents(path)):
                continue
            elif path in self.before and path in self.after:
                yield from self._changed(path, self.before[path], self.after[path])
            elif path in self.after and not path.endswith(EACH):
                yield from self._added(path, self.after[path])
            elif path in self.before and not path.endswith(EACH):
                yield self._removed(path, self.before[path])

    def _is_compared(self, parent: str) -> bool:
        """Say whether what is below is declared as such before and after."""
        if parent not in self.before or parent not in self.after:
            return False
        inside = {OBJECT, ARRAY}
        if not inside & set(self.before[parent].types) & set(self.after[parent].types):
            return False
        return any(path.startswith(f"{parent}.") for path in self.after)

    def _id(self) -> Iterator[Found]:
        before, after = self.before.get("_id"), self.after.get("_id")
        if before and after and before.types != after.types:
            yield (
                f"{self.collection}: _id was {_words(before)} and is {_words(after)}. MongoDB never changes an _id, "
                "so its documents have to be inserted anew."
            )

    def _added(self, path: str, field: FieldSnapshot) -> Iterator[Found]:
        if field.presence is Presence.DEFAULT:
            # One that lacks and one that is null are read alike.
            if field.default is not None:
                yield self._backfill(AddField(self.collection, path, field.default))
            return
        made = field.presence is Presence.MADE
        yield self._backfill(
            AddField(self.collection, path, CHOOSE),
            "Its default is made at run time: choose a value for the documents that are there."
            if made
            else "It is required and has no default: choose a value for the documents that are there.",
        )

    def _removed(self, path: str, field: FieldSnapshot) -> Step:
        reason = "What it holds would be lost."
        candidates = [other for other in self.after if other not in self.before and self._could_be(path, field, other)]
        if candidates:
            says = " or ".join(f"--rename {self.collection}.{path}:{_name(other)}" for other in sorted(candidates))
            reason += f" If it has only got another name, delete this file, restore the snapshot and say {says}."
        return Step(Phase.CONTRACT, RemoveField(self.collection, path), reason)

    def _could_be(self, path: str, field: FieldSnapshot, other: str) -> bool:
        is_beside = _parents(path)[-1:] == _parents(other)[-1:] and not other.endswith(EACH)
        return is_beside and field.types == self.after[other].types

    def _changed(self, path: str, before: FieldSnapshot, after: FieldSnapshot) -> Iterator[Found]:
        if ANY not in after.types and set(before.types) - set(after.types):
            yield self._converted(path, before, after)
        else:
            yield from self._narrowed(path, before, after)
        yield from self._nulls(path, before, after)
        if after.presence is Presence.REQUIRED and before.presence is Presence.MADE:
            yield self._backfill(AddField(self.collection, path, CHOOSE), "It became required: choose a value.")
        is_known = before.presence is Presence.DEFAULT and (before.default is not None or after.is_nullable)
        if after.presence is Presence.REQUIRED and is_known and before.types == after.types:
            # What the model took for granted until now is written down.
            yield self._backfill(AddField(self.collection, path, before.default))

    def _converted(self, path: str, before: FieldSnapshot, after: FieldSnapshot) -> Found:
        was = f"{self.collection}: {path} was {_words(before)} and is {_words(after)}"
        to = next((each for each in BsonType if (each,) == after.types), None)
        if to is None:
            return f"{was}. Nothing converts that: write an UpdateDocuments or a RewriteDocuments if it has to be."
        gone = sorted(set(before.types) - set(after.types))
        if len(gone) == 1 and len(before.types) == 1 and (gone[0], to) in WIDENED:
            return self._backfill(ConvertField(self.collection, path, to, WIDENED[gone[0], to]))
        return self._backfill(
            ConvertField(self.collection, path, to),
            f"It was {_words(before)} and is {_words(after)}. What cannot be converted exactly stays as it is, and "
            "there is no way back.",
        )

    def _narrowed(self, path: str, before: FieldSnapshot, after: FieldSnapshot) -> Iterator[Found]:
        if after.values is None:
            return
        if before.values is None:
            condition: dict[str, Any] = {"$exists": True, "$nin": [*after.values, *([None] * after.is_nullable)]}
            reason = "It may hold only some values now: choose one for the documents that have others."
        else:
            gone = [value for value in before.values if value not in after.values]
            if not gone:
                return
            condition = {"$in": gone}
            reason = f"It may no longer be {', '.join(str(value) for value in gone)}: choose a value."
        yield self._replaced(path, condition, CHOOSE, reason)

    def _nulls(self, path: str, before: FieldSnapshot, after: FieldSnapshot) -> Iterator[Found]:
        if not before.is_nullable or after.is_nullable:
            return
        if path.endswith(EACH):
            yield f"{self.collection}: {path} may no longer be null."
            return
        has_value = after.default is not MISSING and after.default is not None
        reason = "It may no longer be null: " + (
            "look whether this value is right." if has_value else "choose a value."
        )
        # Null means the documents that lack it, too: those were read as null.
        yield self._replaced(path, None, after.default if has_value else CHOOSE, reason)

    def _replaced(self, path: str, condition: object, value: object, reason: str) -> Found:
        *parents, _ = steps = parse_path(path)
        if EACH in steps:
            return f"{self.collection}: {path}: {reason} It is inside an array: write an UpdateDocuments for it."
        test = {path: condition}
        where = {"$and": [*members_of(parents), test]} if parents else test
        return self._backfill(UpdateDocuments(self.collection, where, {"$set": {path: value}}), f"{path}: {reason}")

    def _backfill(self, operation: AddField | ConvertField | UpdateDocuments, held_back: str | None = None) -> Step:
        return Step(Phase.BACKFILL, operation, held_back)


def _parents(path: str) -> Sequence[str]:
    steps = path.split(".")
    return [".".join(steps[:length]) for length in range(1, len(steps))]


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _words(field: FieldSnapshot) -> str:
    return " or ".join(field.types) or "null"
