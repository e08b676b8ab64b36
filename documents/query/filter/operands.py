"""The operators on one field and how each operand is read: the whole allow-list, as a table."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

from bson import Binary, Regex

from documents.plain_forms import filter_reading
from documents.query.filter.geometry import intersects, within
from documents.query.filter.shown_ids import alike
from documents.query.filter.two_forms import TwoForms
from documents.query.filter.values import INT64, coerced, is_regex, literal
from documents.query.paths import declared_path
from documents.query.refusal import shown
from documents.query.regex.parser import UnsafeRegexError
from documents.query.regex.pattern import check_regex
from documents.query.regex.work import MAX_WORK, linear_regex
from documents.query.shapes import is_array
from documents.query.spot import Spot

MAX_LIST: Final = 1000
INT32_MAX: Final = 2**31 - 1

Read = Callable[[object, Spot], Any]

TYPE_NAMES: Final = frozenset(
    {"array", "binData", "bool", "date", "dbPointer", "decimal", "double", "int", "javascript", "javascriptWithScope",
     "long", "maxKey", "minKey", "null", "number", "object", "objectId", "regex", "string", "symbol", "timestamp",
     "undefined"}
)  # fmt: skip
TYPE_CODES: Final = frozenset({-1, *range(1, 20), 127})


def value(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return a value to compare with, as the declared field reads it; TwoForms where it may mean another, too."""
    if is_regex(operand):
        raise spot.refused("wrong-type", "A regular expression goes with $regex or $in, not here.")
    checked = literal(operand, spot.pointer)
    if type(checked) is str:
        return text(checked, spot)
    return coerced(checked, spot.path, spot.compilation.types, spot.pointer)


def text(given: str, spot: Spot) -> Any:  # noqa: ANN401  # what the declared type makes of it
    """Return a text to compare with, likewise."""
    if spot.compilation.types(declared_path(spot.path)) is not None:
        return coerced(given, spot.path, spot.compilation.types, spot.pointer)
    reading = None if spot.compilation.literal else filter_reading(given)
    return given if reading is None else TwoForms(given, reading)


def equal(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return a value to be equal to; a regular expression is equal to a stored one."""
    return _checked_regex(operand, spot) if isinstance(operand, Regex) else same(operand, spot)


def same(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return a value to be equal to, or not; for `_id`, every id that a list would show so."""
    ids = spot.ids
    if ids is None or is_regex(operand):
        return value(operand, spot)
    return alike(ids.like(literal(operand, spot.pointer)), lambda: value(operand, spot))


def elements(operand: object, spot: Spot, read: Read = value) -> list[Any]:
    """Return a list of values, among them regular expressions to match."""
    return [_element(element, spot.at(position), read) for position, element in enumerate(array(operand, spot))]


def is_pattern(operand: object) -> "TypeGuard[Regex[str] | Regex[bytes]]":
    """Say whether a value is a regular expression."""
    return isinstance(operand, Regex)


def _element(operand: object, spot: Spot, read: Read) -> Any:  # noqa: ANN401  # whatever BSON can hold
    if not is_pattern(operand):
        return read(operand, spot)
    regex = _checked_regex(operand, spot)
    return Regex(_linear(regex.pattern, _options(regex), spot), regex.flags)


def _members(operand: object, spot: Spot) -> list[Any]:
    return elements(operand, spot, same)


def array(operand: object, spot: Spot) -> list[object]:
    """Return `operand` when it is an array, and not too long."""
    if not is_array(operand):
        raise spot.refused("wrong-type", f"It takes an array, not {shown(operand)}.")
    if len(operand) > MAX_LIST:
        raise spot.refused("too-large", f"It takes at most {MAX_LIST} values.")
    return operand


def integer(operand: object, spot: Spot, within_range: range = INT64) -> int:
    """Return `operand` when it is an integer of the range."""
    # `in` would try one after the other for a subclass of int, such as Int64.
    if isinstance(operand, bool) or not isinstance(operand, int) or int(operand) not in within_range:
        raise spot.refused(
            "wrong-type",
            f"It takes an integer from {within_range.start} to {within_range.stop - 1}, not {shown(operand)}.",
        )
    return operand


def _boolean(operand: object, spot: Spot) -> bool:
    if not isinstance(operand, bool):
        raise spot.refused("wrong-type", f"It takes true or false, not {shown(operand)}.")
    return operand


def _types(operand: object, spot: Spot) -> list[str | int]:
    several = array(operand, spot) if is_array(operand) else [operand]
    if not several:
        raise spot.refused("wrong-type", "It takes at least one type.")
    return [_type(name, spot) for name in several]


def _type(name: object, spot: Spot) -> str | int:
    if isinstance(name, str) and name in TYPE_NAMES:
        return name
    if isinstance(name, int) and not isinstance(name, bool) and name in TYPE_CODES:
        return int(name)
    raise spot.refused("wrong-type", f"{shown(name)} is not a BSON type; those are {', '.join(sorted(TYPE_NAMES))}.")


def _size(operand: object, spot: Spot) -> int:
    return integer(operand, spot, range(INT32_MAX + 1))


def _modulus(operand: object, spot: Spot) -> list[int]:
    parts = array(operand, spot)
    if len(parts) != 2:  # noqa: PLR2004  # a pair
        raise spot.refused("wrong-type", "It takes [divisor, remainder].")
    divisor, remainder = (integer(part, spot.at(position)) for position, part in enumerate(parts))
    if not divisor:
        raise spot.refused("wrong-type", "The divisor is not 0.")
    return [divisor, remainder]


def _bits(operand: object, spot: Spot) -> Any:  # noqa: ANN401  # a mask or positions
    if isinstance(operand, (bytes, Binary)):
        return operand
    if is_array(operand):
        positions = range(INT32_MAX + 1)
        return [integer(bit, spot.at(at), positions) for at, bit in enumerate(array(operand, spot))]
    return integer(operand, spot, range(2**63))


def regex_condition(pattern: object, options: object, spot: Spot) -> dict[str, Any]:
    """Return `$regex` with its `$options`: the equal of the pattern that takes linear time."""
    source, letters = regex_parts(pattern, options, spot)
    condition = {"$regex": _linear(source, letters or "", spot)}
    return condition if letters is None else {**condition, "$options": letters}


def regex_parts(pattern: object, options: object, spot: Spot) -> tuple[str, str | None]:
    """Return a pattern that may be matched, as it is, and its options, None where none were given."""
    if isinstance(pattern, Regex):
        checked = _checked_regex(pattern, spot)  # pyright: ignore[reportUnknownArgumentType]  # of str or bytes
        if options is not None:
            raise spot.refused("invalid-regex", "The regular expression brings its own options.")
        return checked.pattern, _options(checked)
    if not isinstance(pattern, str) or not isinstance(options, (str, type(None))):
        raise spot.refused("wrong-type", "A pattern is text, and so are its options.")
    _check(pattern, options or "", spot)
    return pattern, options or None


def _linear(pattern: str, options: str, spot: Spot) -> str:
    try:
        linear, work = linear_regex(pattern, options)
    except UnsafeRegexError as error:
        raise spot.refused("invalid-regex", str(error)) from None
    spot.compilation.regex_work += work
    if spot.compilation.regex_work > MAX_WORK:
        raise spot.refused("too-large", "The regular expressions of this filter take too many steps together.")
    return linear


_FLAG_BITS: Final = {"i": 2, "m": 8, "s": 16}
_UNICODE: Final = 32


def _options(regex: "Regex[str]") -> str:
    return "".join(flag for flag, bit in _FLAG_BITS.items() if regex.flags & bit)


def _checked_regex(regex: Any, spot: Spot) -> "Regex[str]":  # noqa: ANN401  # its pattern may be bytes
    if not isinstance(regex.pattern, str) or regex.flags & ~(sum(_FLAG_BITS.values()) | _UNICODE):
        raise spot.refused("invalid-regex", "A regular expression is text, its options some of i, m, s.")
    _check(regex.pattern, _options(regex), spot)
    return Regex(regex.pattern, regex.flags & ~_UNICODE)


def _check(pattern: str, options: str, spot: Spot) -> None:
    literal(pattern, spot.pointer)
    try:
        check_regex(pattern, options)
    except UnsafeRegexError as error:
        raise spot.refused("invalid-regex", str(error)) from None


OPERATORS: Final[Mapping[str, Read]] = {
    "$eq": equal,
    "$ne": same,
    "$gt": value,
    "$gte": value,
    "$lt": value,
    "$lte": value,
    "$in": _members,
    "$nin": _members,
    "$exists": _boolean,
    "$type": _types,
    "$size": _size,
    "$mod": _modulus,
    "$geoWithin": lambda operand, spot: within(operand, spot.pointer),
    "$geoIntersects": lambda operand, spot: intersects(operand, spot.pointer),
    "$bitsAllClear": _bits,
    "$bitsAllSet": _bits,
    "$bitsAnyClear": _bits,
    "$bitsAnySet": _bits,
}
"""Those whose operand is data. `filter` adds those whose operand is a condition again: $not, $all, $elemMatch."""

ALONE: Final = frozenset({"$geoWithin", "$geoIntersects"})
"""MongoDB reads everything beside these as a part of their operand."""
