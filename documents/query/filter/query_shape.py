"""What a query looks like without its values: which fields it compares how, and in what order it wants documents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from documents.query.shapes import is_object

EQUALITIES: Final = frozenset({"$eq", "$in", "$all"})
RANGES: Final = frozenset({"$gt", "$gte", "$lt", "$lte"})
MAX_FIELDS: Final = 8
"""Fields of a shape. A query over more is not recorded: no index is advised for it."""

MAX_PATH: Final = 200
MAX_BRANCHES: Final = 8
_ID: Final = "_id"


@dataclass(frozen=True, slots=True)
class QueryShape:
    """One kind of query. Fields are dotted paths; there are no values in it.

    Args:
        equality: Fields compared for equality, by name.
        range: Fields compared with bounds, or with the beginning of a text, by name.
        sort: Fields and directions.
    """

    equality: tuple[str, ...] = ()
    range: tuple[str, ...] = ()
    sort: tuple[tuple[str, int], ...] = ()

    @property
    def needs_index(self) -> bool:
        """Whether an index other than that on `_id` could help."""
        return bool(self.equality or self.range or [path for path, _ in self.sort if path != _ID])

    def __str__(self) -> str:
        order = ", ".join(f"-{path}" if way < 0 else path for path, way in self.sort)
        parts = [
            f"equal {', '.join(self.equality)}" if self.equality else "",
            f"range of {', '.join(self.range)}" if self.range else "",
            f"sorted by {order}" if order else "",
        ]
        return "; ".join(filter(None, parts))


@dataclass(slots=True)
class _Fields:
    equality: set[str] = field(default_factory=set[str])
    range: set[str] = field(default_factory=set[str])
    branches: Sequence[Mapping[str, Any]] = ()

    def copy(self) -> "_Fields":
        return _Fields(set(self.equality), set(self.range))


def shapes_of(query: Mapping[str, Any], sort: Iterable[tuple[str, int]] = ()) -> list[QueryShape]:
    """Return the shapes of a compiled filter: one, or one for each branch of an `$or`, which MongoDB plans apart.

    None where no index of ours could help: where `_id` is given, or nothing at all is asked for.
    """
    whole = _Fields()
    _add_clauses(whole, query)
    order = tuple(sort)
    return [shape for shape in (_shape(fields, order) for fields in _alternatives(whole)) if shape is not None]


def equal_paths(query: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that every document which matches a compiled filter is compared with for equality."""
    whole = _Fields()
    _add_clauses(whole, query)
    return frozenset(whole.equality)


def shapes_of_pipeline(pipeline: Sequence[Mapping[str, Any]]) -> list[QueryShape]:
    """Return the shapes of an aggregation: those of the `$match` at its beginning, and of a `$sort` behind it."""
    stages = list(pipeline)
    query: Mapping[str, Any] = stages.pop(0)["$match"] if stages and "$match" in stages[0] else {}
    sort: Mapping[str, Any] = stages[0]["$sort"] if stages and "$sort" in stages[0] else {}
    ways = [(path, way) for path, way in sort.items() if isinstance(way, int)]
    return shapes_of(query, ways)


def _alternatives(whole: _Fields) -> list[_Fields]:
    if not 1 <= len(whole.branches) <= MAX_BRANCHES:
        return [whole]
    alternatives: list[_Fields] = []
    for clause in whole.branches:
        branch = whole.copy()
        _add_clauses(branch, clause)
        if branch.equality == whole.equality and branch.range == whole.range:
            return [whole]  # one branch without an index makes MongoDB look at all
        alternatives.append(branch)
    return alternatives


def _shape(fields: _Fields, sort: tuple[tuple[str, int], ...]) -> QueryShape | None:
    paths = [*fields.equality, *fields.range, *(path for path, _ in sort)]
    if _ID in fields.equality or len(paths) > MAX_FIELDS or any(len(path) > MAX_PATH for path in paths):
        return None
    shape = QueryShape(
        tuple(sorted(fields.equality)),
        tuple(sorted(fields.range - fields.equality)),
        tuple(key for key in sort if key[0] not in fields.equality),
    )
    return shape if shape.needs_index else None


def _add_clauses(fields: _Fields, query: Mapping[str, Any]) -> None:
    for key, operand in query.items():
        if key == "$and":
            for clause in cast("list[Mapping[str, Any]]", operand):
                _add_clauses(fields, clause)
        elif key == "$or":
            fields.branches = fields.branches or cast("list[Mapping[str, Any]]", operand)
        elif not key.startswith("$"):
            _add_condition(fields, key, operand)


def _add_condition(fields: _Fields, path: str, operand: object) -> None:
    if not is_object(operand) or not next(iter(operand), "").startswith("$"):
        fields.equality.add(path)
        return
    for operator, value in operand.items():
        if operator in EQUALITIES:
            fields.equality.add(path)
        elif operator in RANGES or (operator == "$regex" and _is_prefix(value)):
            fields.range.add(path)
        elif operator == "$elemMatch" and is_object(value):
            _add_element(fields, path, value)


def _add_element(fields: _Fields, path: str, conditions: Mapping[str, object]) -> None:
    if next(iter(conditions), "").startswith("$"):
        _add_condition(fields, path, conditions)
        return
    for name, condition in conditions.items():
        _add_condition(fields, f"{path}.{name}", condition)


def _is_prefix(pattern: object) -> bool:
    return isinstance(pattern, str) and pattern.startswith("^")
