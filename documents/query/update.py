"""Updates with operators: read from JSON against an allow-list, so that MongoDB refuses none for its form."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bson import Decimal128

from documents.errors import InvalidPatchError
from documents.query.filter.filter import clauses, condition
from documents.query.filter.operands import INT32_MAX, integer, is_pattern
from documents.query.filter.values import coerced, literal
from documents.query.paths import checked_path
from documents.query.refusal import RefusedError, refusing_as, shown
from documents.query.shapes import is_array, is_object
from documents.query.spot import Compilation, Spot
from documents.types import MAX_DEPTH, FieldTypes

ID: Final = "_id"
INT32: Final = range(-INT32_MAX - 1, INT32_MAX + 1)

Read = Callable[[object, Spot], Any]


def parse_update(value: object, types: FieldTypes, *, pointer: str = "") -> dict[str, Any]:
    """Compile update operators.

    Args:
        value: Such as `{"$set": {"price": 5}, "$inc": {"stock": -1}}`, with BSON values where the caller decoded
            Extended JSON. Array positions may stand in paths; `$`, `$[]` and array filters may not.
        types: How declared fields read their values.
        pointer: Where in the request it was sent.

    Raises:
        InvalidPatchError: With one fault, at the first spot that is not allowed.

    Source:
        MongoDB manual, Update Operators (6.0).
    """
    with refusing_as(InvalidPatchError, "update"):
        spot = Spot(Compilation(types), pointer)
        if not is_object(value):
            raise spot.refused("wrong-type", f"An update is an object of operators, not {shown(value)}.")
        claims = _Claims()
        update = {name: _operator(name, operand, spot.at(name), claims) for name, operand in value.items()}
        update = {name: fields for name, fields in update.items() if fields}
        if not update:
            raise spot.refused("empty-update", "An update names at least one field.")
        return update


def updated_paths(update: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Return the paths that a compiled update writes to, as they were written."""
    targets = (target for target in update.get("$rename", {}).values())
    return frozenset(path for fields in update.values() for path in fields) | frozenset(targets)


class _Claims:
    """The paths that operators write to: MongoDB takes each once, and none inside another."""

    def __init__(self) -> None:
        self.whole: set[str] = set()
        self.above: set[str] = set()

    def add(self, path: str, pointer: str) -> None:
        checked_path(path, pointer)
        names = path.split(".")
        if names[0] == ID:
            raise RefusedError(pointer, "immutable-id", "The _id of a document does not change.")
        above = {".".join(names[:length]) for length in range(1, len(names))}
        if path in self.whole or path in self.above or above & self.whole:
            raise RefusedError(pointer, "path-collision", f"{shown(path)} is updated already, or a part of it is.")
        self.whole.add(path)
        self.above |= above


def _operator(name: str, operand: object, spot: Spot, claims: _Claims) -> dict[str, Any]:
    read = OPERATORS.get(name)
    if read is None:
        raise spot.refused("unknown-operator", f"{shown(name)} is not allowed. There are {' '.join(OPERATORS)}.")
    if not is_object(operand):
        raise spot.refused("wrong-type", f"It takes an object of fields, not {shown(operand)}.")
    fields: dict[str, Any] = {}
    for path, member in operand.items():
        claims.add(path, spot.at(path).pointer)
        fields[path] = read(member, spot.about(path))
        if name == "$rename":
            claims.add(fields[path], spot.at(path).pointer)
    return fields


def _stored(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    checked = literal(operand, spot.pointer, stored=True, depth=MAX_DEPTH)
    return coerced(checked, spot.path, spot.compilation.types, spot.pointer)


def _nothing(_: object, __: Spot) -> str:
    return ""


def _number(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # any type of number
    number = _stored(operand, spot)
    if isinstance(number, bool) or not isinstance(number, (int, float, Decimal128)):
        raise spot.refused("wrong-type", f"It takes a number, not {shown(operand)}.")
    return number


def _new_name(operand: object, spot: Spot) -> str:
    if not isinstance(operand, str):
        raise spot.refused("wrong-type", f"It takes the new name, not {shown(operand)}.")
    return operand


def _sign(operand: object, spot: Spot) -> int:
    if isinstance(operand, bool) or operand not in (1, -1):
        raise spot.refused("wrong-type", f"It takes 1 or -1, not {shown(operand)}.")
    return 1 if operand == 1 else -1


def _current(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # true or a type
    if operand is True:
        return True
    if is_object(operand) and operand in ({"$type": "date"}, {"$type": "timestamp"}):
        return dict(operand)
    raise spot.refused("wrong-type", 'It takes true, {"$type": "date"} or {"$type": "timestamp"}.')


def _bits(operand: object, spot: Spot) -> dict[str, int]:
    if not is_object(operand) or len(operand) != 1 or not set(operand) <= {"and", "or", "xor"}:
        raise spot.refused("wrong-type", 'It takes {"and": n}, {"or": n} or {"xor": n}.')
    return {name: integer(mask, spot.at(name)) for name, mask in operand.items()}


def _values(operand: object, spot: Spot) -> list[Any]:
    if not is_array(operand):
        raise spot.refused("wrong-type", f"It takes an array, not {shown(operand)}.")
    return [_stored(element, spot.at(position)) for position, element in enumerate(operand)]


def _added(modifiers: Mapping[str, Read]) -> Read:
    """Read an element to add, or several by `$each` with `modifiers`."""

    def read(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # an element or modifiers
        if not is_object(operand) or "$each" not in operand:
            return _stored(operand, spot)
        return {name: _modifier(name, member, spot.at(name)) for name, member in operand.items()}

    def _modifier(name: str, operand: object, spot: Spot) -> Any:  # noqa: ANN401  # as the modifier wants it
        if name not in modifiers:
            raise spot.refused("unknown-operator", f"Beside $each there may be {' '.join(modifiers)}.")
        return modifiers[name](operand, spot)

    return read


def _small_integer(operand: object, spot: Spot) -> int:
    return integer(operand, spot, INT32)


def _order(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # a direction or several
    if not is_object(operand):
        return _sign(operand, spot)
    if not operand:
        raise spot.refused("wrong-type", "It takes at least one field.")
    return {
        checked_path(path, spot.at(path).pointer): _sign(direction, spot.at(path))
        for path, direction in operand.items()
    }


def _pulled(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # a value or a condition
    """Read which elements to remove: equal to a value, or meeting a condition."""
    if is_object(operand):
        operators = any(name.startswith("$") and name not in ("$and", "$or", "$nor") for name in operand)
        return condition(operand, spot) if operators else clauses(operand, spot)
    return condition(operand, spot) if is_pattern(operand) else _stored(operand, spot)


OPERATORS: Final[Mapping[str, Read]] = {
    "$set": _stored,
    "$setOnInsert": _stored,
    "$unset": _nothing,
    "$inc": _number,
    "$mul": _number,
    "$min": _stored,
    "$max": _stored,
    "$rename": _new_name,
    "$push": _added({"$each": _values, "$slice": _small_integer, "$sort": _order, "$position": _small_integer}),
    "$addToSet": _added({"$each": _values}),
    "$pull": _pulled,
    "$pullAll": _values,
    "$pop": _sign,
    "$currentDate": _current,
    "$bit": _bits,
}
