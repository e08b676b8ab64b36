"""Declared indexes against actual ones: what would have to be done (pure)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, Final

from documents.errors import InvalidIndexError
from documents.indexes.changes import Action, Difference, IndexChange, IndexPlan, Permission, Permissions
from documents.indexes.equality import freeze, freeze_filter
from documents.indexes.spec import SIMPLE, WITHOUT_COLLATION, IndexSpec

NOTHING: Final = Permissions()

_IN_PLACE: Final[Mapping[str, Callable[[object], bool]]] = {
    "expireAfterSeconds": lambda wanted: wanted is not None,
    "hidden": lambda _: True,
    "unique": lambda wanted: wanted is True,
    "prepareUnique": lambda wanted: wanted is None,
}
"""What collMod can change in place, by the value that is wanted; None is MongoDB's default."""

_COEXISTING: Final = frozenset({"unique", "sparse"})
"""Indexes that differ in one of these can stand side by side, so that a new one can be built before the old goes."""


def plan_indexes(
    declared: Iterable[IndexSpec],
    actual: Iterable[IndexSpec],
    *,
    ignore: Sequence[str] = (),
    permissions: Permissions = NOTHING,
    default_collation: Mapping[str, Any] | None = None,
) -> IndexPlan:
    """Return what it takes for a collection to have the declared indexes.

    An index that is the same but for its name is adopted. Nothing is dropped or rebuilt unless
    `permissions` names it.

    Args:
        declared: As a model declares them.
        actual: As the collection has them.
        ignore: Patterns such as `tmp_*`; undeclared indexes with such names are left out of the plan.
        permissions: What may be done although it could hurt.
        default_collation: The collection's, with every attribute.

    Raises:
        InvalidIndexError: Two declarations are of the same index with different options, or have one name.
    """
    wanted = _distinct(_resolve(spec, default_collation, inherits=True) for spec in declared)
    found = [_resolve(spec, default_collation, inherits=False) for spec in actual]
    taken = {spec.name for spec in found}
    changes: list[IndexChange] = []
    for spec in wanted:
        match = _best_match(spec, found)
        if match is not None:
            found.remove(match)
        changes.append(_change(spec, match, taken, permissions))
        taken.add((changes[-1].declared or spec).name)
    identities = {spec.identity for spec in wanted}
    return IndexPlan(
        (*changes, *(_undeclared(spec, identities, permissions) for spec in _told(found, ignore, permissions)))
    )


def _change(spec: IndexSpec, match: IndexSpec | None, taken: set[str], permissions: Permissions) -> IndexChange:
    if match is None:
        return _create(spec, taken)
    differences = tuple(_differences(spec, match))
    if not differences:
        return _adopt(spec, match)
    if all(_is_in_place(difference) for difference in differences):
        blocked = _hastened(spec, match, differences, permissions)
        needs = (Permission.SHORTEN_TTL,) if blocked else ()
        return IndexChange(Action.MODIFY, spec, match, differences, blocked, needs=needs)
    return _rebuild(spec, match, differences, taken=taken, permissions=permissions)


def _create(spec: IndexSpec, taken: set[str]) -> IndexChange:
    created = _named_freely(spec, taken)
    note = None if created is spec else f"Another index has the name {spec.name!r}."
    if "expireAfterSeconds" in spec.options:
        expiry = f"It deletes documents, {spec.options['expireAfterSeconds']} s after the time in {spec.keys[0][0]}."
        note = f"{note} {expiry}" if note else expiry
    return IndexChange(Action.CREATE, created, note=note)


def _adopt(spec: IndexSpec, match: IndexSpec) -> IndexChange:
    if match.building:
        return IndexChange(Action.CREATE, replace(spec, name=match.name), note="It is being built already.")
    note = None if match.name == spec.name else f"It is declared as {spec.name!r}; the name makes no difference."
    return IndexChange(Action.KEEP, spec, match, note=note)


def _rebuild(
    spec: IndexSpec,
    match: IndexSpec,
    differences: tuple[Difference, ...],
    *,
    taken: set[str],
    permissions: Permissions,
) -> IndexChange:
    side_by_side = not spec.is_text and any(difference.option in _COEXISTING for difference in differences)
    created = _named_freely(spec, taken if side_by_side else taken - {match.name})
    blocked = _hastened(spec, match, differences, permissions)
    needs = [Permission.SHORTEN_TTL] if blocked else []
    if not _is_named(permissions.rebuild, spec, match):
        blocked = f"It cannot be changed in place, and rebuilding {match.name!r} has not been allowed."
        needs.insert(0, Permission.REBUILD)
    note = (
        "The new one is built before the old one is dropped."
        if side_by_side
        else "It is dropped first, so there is none until the new one is built."
    )
    return IndexChange(
        Action.REBUILD, created, match, differences, blocked, note, side_by_side=side_by_side, needs=tuple(needs)
    )


def _told(found: Iterable[IndexSpec], ignore: Sequence[str], permissions: Permissions) -> Iterator[IndexSpec]:
    """Leave out what is to be ignored; what is named outright is not."""
    named = {*permissions.drop, *permissions.hide, *permissions.unhide, *permissions.rebuild}
    for spec in found:
        if spec.name in named or not any(fnmatchcase(spec.name, pattern) for pattern in ignore):
            yield spec


def _undeclared(spec: IndexSpec, declared: Collection[object], permissions: Permissions) -> IndexChange:
    is_hidden = bool(spec.options.get("hidden"))
    if spec.name in permissions.drop:
        return IndexChange(Action.DROP, actual=spec)
    if spec.name in permissions.rebuild and spec.identity in declared:
        return IndexChange(Action.DROP, actual=spec, note="It is left of a rebuild that was interrupted.")
    if spec.name in permissions.hide and not is_hidden:
        return IndexChange(Action.HIDE, actual=spec)
    if spec.name in permissions.unhide and is_hidden:
        return IndexChange(Action.UNHIDE, actual=spec)
    return IndexChange(Action.EXTRA, actual=spec, note="It is hidden from queries." if is_hidden else None)


def _distinct(specs: Iterable[IndexSpec]) -> list[IndexSpec]:
    by_identity: dict[object, IndexSpec] = {}
    by_name: dict[str, IndexSpec] = {}
    for spec in specs:
        other = by_identity.setdefault(spec.identity, spec)
        if list(_differences(spec, other)):
            raise InvalidIndexError(f"Declared twice, and differently: {other} and {spec}.")
        if other is spec and by_name.setdefault(spec.name, spec) is not spec:
            raise InvalidIndexError(f"Two declared indexes have one name: {by_name[spec.name]} and {spec}.")
    return list(by_identity.values())


def _best_match(spec: IndexSpec, found: Iterable[IndexSpec]) -> IndexSpec | None:
    """Return the index that is nearest; there can be several that differ in being unique or sparse."""
    same = [other for other in found if other.identity == spec.identity]
    return min(same, key=lambda other: (len(list(_differences(spec, other))), other.name != spec.name), default=None)


def _differences(declared: IndexSpec, actual: IndexSpec) -> Iterator[Difference]:
    if freeze(list(declared.keys)) != freeze(list(actual.keys)):
        yield Difference("key", dict(declared.keys), dict(actual.keys))
    for option in sorted(declared.options.keys() | actual.options.keys()):
        wanted, present = declared.options.get(option), actual.options.get(option)
        same = freeze_filter if option == "partialFilterExpression" else freeze
        if same(wanted) != same(present):
            yield Difference(option, wanted, present)


def _is_in_place(difference: Difference) -> bool:
    return difference.option in _IN_PLACE and _IN_PLACE[difference.option](difference.declared)


def _hastened(
    spec: IndexSpec, match: IndexSpec, differences: Iterable[Difference], permissions: Permissions
) -> str | None:
    """Return why a change of expiry is blocked: documents would be deleted that are not due yet."""
    is_sooner = any(_is_sooner(difference) for difference in differences)
    if not is_sooner or _is_named(permissions.shorten_ttl, spec, match):
        return None
    return f"Documents would expire sooner and be deleted, which has not been confirmed for {match.name!r}."


def _is_sooner(difference: Difference) -> bool:
    wanted, present = difference.declared, difference.actual
    if difference.option != "expireAfterSeconds" or not isinstance(wanted, int | float):
        return False
    return not isinstance(present, int | float) or wanted < present


def _is_named(names: Collection[str], spec: IndexSpec, match: IndexSpec) -> bool:
    return spec.name in names or match.name in names


def _named_freely(spec: IndexSpec, taken: Collection[str]) -> IndexSpec:
    if spec.name not in taken:
        return spec
    return replace(spec, name=next(name for n in count(2) if (name := f"{spec.name}_{n}") not in taken))


def _resolve(spec: IndexSpec, default: Mapping[str, Any] | None, *, inherits: bool) -> IndexSpec:
    """Return an index whose collation is left out exactly when it is the collection's default.

    Args:
        spec: Declared or stored.
        default: The collection's collation.
        inherits: Whether an index that names none has the default, as a declared one has; a stored one has none.
    """
    usual = default or SIMPLE
    compares_bytes = not inherits or any(direction in WITHOUT_COLLATION for _, direction in spec.keys)
    collation = spec.options.get("collation") or (SIMPLE if compares_bytes else usual)
    options = {name: value for name, value in spec.options.items() if name != "collation"}
    if freeze(collation) != freeze(usual):
        options["collation"] = dict(collation)
    return replace(spec, options=options)
