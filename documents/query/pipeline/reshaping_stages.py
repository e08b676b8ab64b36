"""Stages that change the shape of each document: $project, $addFields, $unset, $unwind, $replaceRoot."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from documents.query.paths import declared_path
from documents.query.pipeline.expressions import expression, field_name, field_path, field_reference, is_operation
from documents.query.pipeline.shapes import array_of, filled_object, flag, object_of
from documents.query.pipeline.spot import ExpressionSpot
from documents.query.refusal import shown
from documents.query.shapes import is_array, is_object
from documents.types import Coerce, FieldTypes

ID: Final = "_id"


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A compiled stage's operand, and how fields are declared in what comes out of it."""

    operand: Any
    types: FieldTypes


def undeclared(_path: str) -> Coerce | None:
    """Answer that nothing is declared: the types of documents of a new shape."""
    return None


def changed(types: FieldTypes, paths: Iterable[str]) -> FieldTypes:
    """Return the types of documents in which `paths` have new values."""
    new = tuple(map(declared_path, paths))

    def remaining(path: str) -> Coerce | None:
        return None if any(_overlap(path, other) for other in new) else types(path)

    return remaining


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def add_fields(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $addFields, which is also $set."""
    paths = _Paths()
    given = filled_object(operand, spot)
    compiled = {
        path: _computed(member, spot.at(path), field_path(path, spot.at(path)), paths) for path, member in given.items()
    }
    return Reshaped(compiled, changed(types, paths.seen))


def _computed(operand: object, spot: ExpressionSpot, path: str, paths: "_Paths") -> Any:  # noqa: ANN401  # an expression
    if not is_object(operand) or is_operation(operand):
        paths.add(path, spot)
        return expression(operand, spot)
    return _below(operand, spot, path, lambda member, there, name: _computed(member, there, name, paths))


def _below(
    operand: dict[str, object], spot: ExpressionSpot, path: str, read: Callable[[object, ExpressionSpot, str], Any]
) -> dict[str, Any]:
    return {
        field_name(name, spot.at(name)): read(member, spot.inside(name), f"{path}.{name}")
        for name, member in filled_object(operand, spot).items()
    }


class _Paths:
    """The paths that a stage writes: none of them twice, and none inside another."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._above: set[str] = set()

    def add(self, path: str, spot: ExpressionSpot) -> None:
        """Take one more path."""
        names = path.split(".")
        above = {".".join(names[:length]) for length in range(1, len(names))}
        if path in self.seen or path in self._above or above & self.seen:
            raise spot.refused("path-collision", f"{shown(path)}, or a part of it, is there already.")
        self.seen.add(path)
        self._above |= above


def project(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $project: fields to have and to compute, or fields to leave out."""
    given = filled_object(operand, spot)
    projection = _Projection()
    compiled = {
        path: projection.read(member, spot.at(path), field_path(path, spot.at(path))) for path, member in given.items()
    }
    projection.refuse_mixture()
    return Reshaped(compiled, changed(types, projection.computed))


class _Projection:
    """What a $project says of its fields."""

    def __init__(self) -> None:
        self.computed: set[str] = set()
        self._paths = _Paths()
        self._inclusions: list[ExpressionSpot] = []
        self._exclusions: list[ExpressionSpot] = []

    def read(self, operand: object, spot: ExpressionSpot, path: str) -> Any:  # noqa: ANN401  # a sign or an expression
        """Return the value of one field."""
        if is_object(operand) and not is_operation(operand):
            return _below(operand, spot, path, self.read)
        self._paths.add(path, spot)
        if isinstance(operand, (bool, int, float)):
            return self._sign(operand, spot, path)
        self._inclusions.append(spot)
        self.computed.add(path)
        return expression(operand, spot)

    def _sign(self, operand: float, spot: ExpressionSpot, path: str) -> int:
        if operand not in (0, 1):
            raise spot.refused(
                "wrong-type", "A field is asked for with 1 and left out with 0. Constants go in $literal."
            )
        spot.spend()
        if path != ID:
            (self._inclusions if operand else self._exclusions).append(spot)
        return int(operand)

    def refuse_mixture(self) -> None:
        """Refuse to have some fields and to leave out others; of `_id`, either may be said."""
        if self._inclusions and self._exclusions:
            raise self._exclusions[0].refused(
                "mixed-projection", "Name the fields to have or the fields to leave out, not both."
            )


def unset(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $unset: one path, or several."""
    paths = _Paths()

    def path(member: object, there: ExpressionSpot) -> str:
        there.spend()
        name = field_path(member, there)
        paths.add(name, there)
        return name

    return Reshaped(array_of(path, 1)(operand, spot) if is_array(operand) else path(operand, spot), types)


def unwind(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $unwind."""
    if not is_object(operand):
        return Reshaped({"path": field_reference(operand, spot)}, types)
    known = ("path", "includeArrayIndex", "preserveNullAndEmptyArrays")
    given = object_of(operand, spot, ("path",), known)
    compiled: dict[str, Any] = {"path": field_reference(given["path"], spot.at("path"))}
    if "preserveNullAndEmptyArrays" in given:
        compiled["preserveNullAndEmptyArrays"] = flag(given["preserveNullAndEmptyArrays"], spot.at(known[2]))
    if "includeArrayIndex" not in given:
        return Reshaped(compiled, types)
    index = field_path(given["includeArrayIndex"], spot.at("includeArrayIndex"))
    return Reshaped({**compiled, "includeArrayIndex": index}, changed(types, [index]))


def replace_root(operand: object, spot: ExpressionSpot, _types: FieldTypes) -> Reshaped:
    """Compile $replaceRoot."""
    given = object_of(operand, spot, ("newRoot",), ("newRoot",))
    return Reshaped({"newRoot": _root(given["newRoot"], spot.at("newRoot"))}, undeclared)


def replace_with(operand: object, spot: ExpressionSpot, _types: FieldTypes) -> Reshaped:
    """Compile $replaceWith."""
    return Reshaped(_root(operand, spot), undeclared)


def _root(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # an expression
    if is_object(operand) or (isinstance(operand, str) and operand.startswith("$")):
        return expression(operand, spot)
    raise spot.refused("wrong-type", f"A document is an object or an expression for one, not {shown(operand)}.")
