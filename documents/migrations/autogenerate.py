"""Compares two snapshots of the models, and proposes what would bring the data from the one to the other. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from documents.indexes.changes import Action, IndexChange, Permission, Permissions
from documents.indexes.plan import plan_indexes
from documents.indexes.spec import IndexSpec
from documents.migrations.errors import MigrationError
from documents.migrations.field_changes import FieldChanges, Fields, Found
from documents.migrations.graph import PHASES, Phase
from documents.migrations.operations import (
    AddField,
    CreateIndex,
    DropIndex,
    RemoveField,
    RenameField,
    UpdateDocuments,
)
from documents.migrations.paths import EACH
from documents.migrations.proposal import Proposal, Step
from documents.migrations.snapshot import CollectionSnapshot, Snapshot
from documents.types import EMPTY, MISSING

NOTHING: Final = CollectionSnapshot({})
ORDER: Final = (DropIndex, RenameField, AddField, UpdateDocuments, CreateIndex, RemoveField)
"""Inside a phase, what has to come before what; a conversion comes with the additions."""


class UnknownRenameError(MigrationError):
    """A renaming that was asked for is none of these models."""

    code = "unknown-rename"


def compare_snapshots(before: Snapshot, after: Snapshot, renames: Mapping[str, str] = EMPTY) -> Proposal:
    """Return what it takes to bring documents and indexes from one snapshot to another.

    What could lose something, or needs a value that the models do not say, is held back. A field that went and one
    that came are never taken for one and the same, unless `renames` says so.

    Args:
        before: What the data are like.
        after: What the models are like.
        renames: New last name of a field, by collection and path: `{"products.colour": "color"}`. A path has the
            names of before in all its parts.

    Raises:
        UnknownRenameError: A field to be renamed was not there or still is, or its new name is not.
        InvalidIndexError: The indexes of a collection contradict each other.
    """
    asked = [_parse_rename(before, after, source, name) for source, name in renames.items()]
    found: list[Found] = []
    for name in sorted(before.collections.keys() | after.collections.keys()):
        if name not in after.collections:
            found.append(f"{name}: no model declares it any more. Its documents and indexes stay.")
            continue
        # The deepest first, so that each is still where its path says.
        moved = sorted((rename for rename in asked if rename.collection == name), key=lambda each: -each.depth)
        comparison = _Comparison(name, before.collections.get(name), after.collections[name], moved)
        found.extend(comparison.find())
    steps = [each for each in found if isinstance(each, Step)]
    return Proposal(
        tuple(step for phase in PHASES for step in sorted(steps, key=_rank) if step.phase is phase),
        tuple(each for each in found if isinstance(each, str)),
    )


def _rank(step: Step) -> int:
    if isinstance(step.operation, CreateIndex | DropIndex) and step.phase is Phase.CONTRACT:
        return 0  # as they came: of a rebuild, dropping is first
    return next((rank for rank, kind in enumerate(ORDER) if isinstance(step.operation, kind)), ORDER.index(AddField))


@dataclass(frozen=True, slots=True)
class _Rename:
    collection: str
    path: str
    name: str

    @property
    def depth(self) -> int:
        return self.path.count(".")

    def moved(self, path: str) -> str:
        if path != self.path and not path.startswith(f"{self.path}."):
            return path
        return ".".join([*self.path.split(".")[:-1], self.name]) + path[len(self.path) :]


def _parse_rename(before: Snapshot, after: Snapshot, source: str, name: str) -> _Rename:
    collection, _, path = source.partition(".")
    asked = f"--rename {source}:{name}"
    if collection not in before.collections or collection not in after.collections:
        raise UnknownRenameError(f"{asked}: no collection {collection!r} is declared both before and now.")
    if path not in before.collections[collection].fields or path == "_id" or path.endswith(EACH):
        known = ", ".join(each for each in before.collections[collection].fields if not each.endswith(EACH))
        raise UnknownRenameError(f"{asked}: {collection} had no field {path!r} in the snapshot, but {known}.")
    if "." in name or not name:
        raise UnknownRenameError(f"{asked}: the new name is one name, without the path.")
    return _Rename(collection, path, name)


class _Comparison:
    def __init__(
        self, name: str, before: CollectionSnapshot | None, after: CollectionSnapshot, renames: Sequence[_Rename]
    ) -> None:
        self._name = name
        self._is_new = before is None
        self._before = before or NOTHING
        self._after = after
        self._renames = renames
        self._fields = self._renamed()

    def find(self) -> Iterator[Found]:
        for rename in self._renames:
            yield Step(Phase.BACKFILL, RenameField(self._name, rename.path, rename.name))
        if not self._is_new:
            yield from FieldChanges(self._name, self._fields, self._after.fields).find()
        yield from self._indexes()

    def _renamed(self) -> Fields:
        fields = self._before.fields
        for rename in self._renames:
            target = rename.moved(rename.path)
            if target in fields:
                raise UnknownRenameError(f"{self._name} has a field {target!r} already.")
            fields = {rename.moved(path): field for path, field in fields.items()}
        for rename in self._renames:
            self._check_target(rename)
        return fields

    def _check_target(self, rename: _Rename) -> None:
        target = rename.path
        for each in self._renames:  # a parent may have got another name, too
            target = each.moved(target)
        if target not in self._after.fields:
            raise UnknownRenameError(f"The model of {self._name} has no field {target!r} that {rename.path} could be.")
        if rename.path in self._after.fields:
            raise UnknownRenameError(f"The model of {self._name} still has the field {rename.path!r}.")

    def _indexes(self) -> Iterator[Found]:
        names = {spec.name for spec in self._before.indexes}
        # Nothing else needs permission; what shortens an expiry is to be held back.
        plan = plan_indexes(self._after.indexes, self._before.indexes, permissions=Permissions(rebuild=names))
        for change in plan.changes:
            yield from self._index(change)

    def _index(self, change: IndexChange) -> Iterator[Found]:
        declared, actual = change.declared, change.actual
        if change.action is Action.CREATE and declared:
            yield self._created(declared)
        elif change.action is Action.EXTRA and actual:
            yield self._dropped(actual)
        elif change.action is Action.MODIFY and declared:
            phase = Phase.CONTRACT if self._depends(declared) else Phase.EXPAND
            yield self._create(phase, declared, _expiry(change), "It is changed in place.")
        elif change.action is Action.REBUILD and declared and actual:
            held_back = _expiry(change)
            note = "It cannot be changed in place, so there is none until it is built anew."
            yield Step(Phase.CONTRACT, DropIndex(self._name, *_parts(actual)), held_back, note)
            # Under its own name, which is free again then.
            [own] = [spec for spec in self._after.indexes if spec.identity == declared.identity]
            yield self._create(Phase.CONTRACT, own, held_back)

    def _created(self, spec: IndexSpec) -> Step:
        if "expireAfterSeconds" in spec.options and not self._is_new:
            return self._create(Phase.EXPAND, spec, "Documents that are older than it allows will be deleted at once.")
        if not spec.is_unique or self._is_new:
            return self._create(Phase.EXPAND, spec)
        if self._repeats(spec):
            reason = "Documents that lack its fields, or have the same default, count as duplicates."
            return self._create(Phase.CONTRACT, spec, reason)
        # While documents are brought up to date, those that lack the field would count as duplicates.
        return self._create(Phase.CONTRACT if self._depends(spec) else Phase.EXPAND, spec)

    def _create(self, phase: Phase, spec: IndexSpec, held_back: str | None = None, note: str | None = None) -> Step:
        return Step(phase, CreateIndex(self._name, *_parts(spec)), held_back, note)

    def _dropped(self, spec: IndexSpec) -> Step:
        operation = DropIndex(self._name, *_parts(spec))
        if spec.is_unique and not _skips_missing(spec) and self._loses(spec):
            note = "Before the renaming, as documents without the old field would count as duplicates."
            return Step(Phase.BACKFILL, operation, note=note)
        return Step(Phase.CONTRACT, operation)

    def _depends(self, spec: IndexSpec) -> bool:
        """Say whether an index has a field that this revision adds, renames or converts."""
        return any(self._is_touched(path) for key, _ in spec.keys for path in self._paths_of(key))

    def _is_touched(self, path: str) -> bool:
        before, after = self._before.fields.get(path), self._after.fields[path]
        return before is None or (before.types, before.is_nullable) != (after.types, after.is_nullable)

    def _repeats(self, spec: IndexSpec) -> bool:
        """Say whether all that an index has is new, so that every document has the same there."""
        paths = [path for key, _ in spec.keys for path in self._paths_of(key)]
        if not paths or any(path in self._fields for path in paths):
            return False
        has_default = any(self._after.fields[path].default not in (MISSING, None) for path in paths)
        return has_default or not _skips_missing(spec)

    def _paths_of(self, key: str) -> list[str]:
        return [path for path in self._after.fields if _as_key(path) == key and not path.endswith(EACH)]

    def _loses(self, spec: IndexSpec) -> bool:
        moved = [_as_key(rename.path) for rename in self._renames]
        return any(key == old or key.startswith(f"{old}.") for key, _ in spec.keys for old in moved)


def _expiry(change: IndexChange) -> str | None:
    is_sooner = Permission.SHORTEN_TTL in change.needs
    return "Documents would expire sooner, and be deleted." if is_sooner else None


def _skips_missing(spec: IndexSpec) -> bool:
    """Say whether documents that lack the fields are left out of an index."""
    condition = spec.options.get("partialFilterExpression", {})
    return bool(spec.options.get("sparse")) or any(key in condition for key, _ in spec.keys)


def _as_key(path: str) -> str:
    """Return a path as the keys of indexes have it, which pass through arrays without a word."""
    return ".".join(step for step in path.split(".") if step != EACH)


def _parts(spec: IndexSpec) -> tuple[list[tuple[str, int | str]], dict[str, object]]:
    document = spec.to_document()
    keys = list(document.pop("key").items())
    usual = "_".join(f"{path}_{direction}" for path, direction in keys)
    if document["name"] == usual:
        del document["name"]
    return keys, document
