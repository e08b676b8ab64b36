"""What the records of a load are expected to be, counted batch by batch, and judged when all of them are known. Pure.

A batch is written down with what it says of each expectation, so a load that goes on need not look at it again. Of
values that must be unique a hash of eight bytes is kept.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final, Self, cast

import orjson
from bson.decimal128 import Decimal128

from documents.errors import Fault, InvalidParameterError
from documents.query.paths import is_field_path, value_at
from documents.types import MISSING, Document

MAX_RULES: Final = 100
DIGEST_BYTES: Final = 8
AT_ONCE: Final = 1_000_000
"""Hashes that are compared at once."""

_RULES: Final = ("not_null", "unique", "in", "min", "max")
_MEMBERS: Final = ("rows", "fields", "unique")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is expected of a field.

    Args:
        path: Of the field.
        name: `not_null`, `in`, `min` or `max`.
        value: What it is compared with.
    """

    path: str
    name: str
    value: Any

    def holds(self, document: Document) -> bool:
        """Say whether a document is as expected. All but `not_null` pass over what is missing or null."""
        value = value_at(document, self.path)
        if value is MISSING or value is None:
            return self.name != "not_null"
        several = cast("list[object]", value) if isinstance(value, list) else [value]
        return all(_TESTS[self.name](_plain(each), self.value) for each in several)

    def __str__(self) -> str:
        told = {"not_null": "is never null", "in": "is one of", "min": "is at least", "max": "is at most"}[self.name]
        return f"{self.path} {told}" + ("" if self.name == "not_null" else f" {orjson.dumps(self.value).decode()}")


@dataclass(slots=True)
class Tally:
    """What some records say of the expectations.

    Args:
        broken: By the number of a rule, how many records break it, and the line of the first.
        digests: Of the values of each unique key, eight bytes each.
    """

    broken: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    digests: list[bytes] = field(default_factory=list[bytes])

    def to_record(self) -> Document:
        """Return it to be written down."""
        return {"broken": [[rule, *told] for rule, told in self.broken.items()], "digests": self.digests}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return what was written down."""
        return cls({rule: (count, line) for rule, count, line in record["broken"]}, list(record["digests"]))


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one expectation is met.

    Args:
        expected: It, in words.
        is_met: Whether it is.
        detail: What was found.
    """

    expected: str
    is_met: bool
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {"expected": self.expected, "met": self.is_met, "found": self.detail}


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the records of a load are expected to be.

    Args:
        least: How many there are at least.
        most: How many at most; None for any number.
        rules: What each of them is.
        unique: Fields whose values, taken together, no two of them share.
    """

    least: int = 0
    most: int | None = None
    rules: Sequence[Rule] = ()
    unique: Sequence[tuple[str, ...]] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read expectations in JSON.

        Raises:
            InvalidParameterError: They cannot be meant.
        """
        try:
            told = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _invalid("", f"This is no JSON: {error}.") from None
        members = _object("", told, _MEMBERS)
        rows = _object("/rows", members.get("rows", {}), ("min", "max"))
        least, most = _count("/rows/min", rows.get("min", 0)), _count("/rows/max", rows.get("max"))
        rules: list[Rule] = []
        unique = [_key(f"/unique/{place}", each) for place, each in enumerate(_list("/unique", members.get("unique")))]
        for path, each in _object("/fields", members.get("fields", {})).items():
            pointer = f"/fields/{path}"
            _path(pointer, path)
            for name, value in _object(pointer, each, _RULES).items():
                _CHECKS[name](f"{pointer}/{name}", value)
                if name == "unique" and value:
                    unique.append((path,))
                elif name == "in" or (name != "unique" and value is not False):
                    rules.append(Rule(path, name, value))
        if len(rules) + len(unique) > MAX_RULES:
            raise _invalid("", f"At most {MAX_RULES} things can be expected.")
        return cls(least or 0, most, tuple(rules), tuple(unique))

    def tally(self, records: Iterable[tuple[int, Document]]) -> Tally:
        """Return what some records say, each with its line."""
        tally, digests = Tally(), [bytearray() for _ in self.unique]
        for line, document in records:
            for number, rule in enumerate(self.rules):
                if not rule.holds(document):
                    count, first = tally.broken.get(number, (0, line))
                    tally.broken[number] = (count + 1, first)
            for paths, found in zip(self.unique, digests, strict=True):
                values = [value_at(document, path) for path in paths]
                if not all(value is MISSING or value is None for value in values):
                    found.extend(_digest(values))
        tally.digests = [bytes(each) for each in digests]
        return tally

    def judge(self, rows: int, tallies: Sequence[Tally]) -> list[Finding]:
        """Return of each expectation whether it is met.

        Args:
            rows: How many records there are.
            tallies: What they say, in the order of the source.
        """
        return [*self._judge_rows(rows), *self._judge_rules(tallies), *self._judge_unique(tallies)]

    def _judge_rows(self, rows: int) -> Iterator[Finding]:
        if self.least or self.most is not None:
            span = f"at least {self.least:,}" if self.most is None else f"{self.least:,} to {self.most:,}"
            is_met = rows >= self.least and (self.most is None or rows <= self.most)
            yield Finding(f"There are {span} records", is_met, f"{rows:,} records")

    def _judge_rules(self, tallies: Sequence[Tally]) -> Iterator[Finding]:
        for number, rule in enumerate(self.rules):
            told = [tally.broken[number] for tally in tallies if number in tally.broken]
            count = sum(count for count, _ in told)
            detail = f"not so in {_records(count)}, first in line {told[0][1]:,}" if told else "so in all"
            yield Finding(str(rule), not count, detail)

    def _judge_unique(self, tallies: Sequence[Tally]) -> Iterator[Finding]:
        for number, paths in enumerate(self.unique):
            digests = array("Q")
            for tally in tallies:
                digests.frombytes(tally.digests[number])
            count = _repeated(digests)
            detail = f"{_records(count)} with a value that came before" if count else "so in all"
            yield Finding(f"{', '.join(paths)} is unique", not count, detail)


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _repeated(digests: "array[int]") -> int:
    parts = 1 + len(digests) // AT_ONCE
    return len(digests) - sum(len({each for each in digests if each % parts == part}) for part in range(parts))


def _digest(values: Sequence[object]) -> bytes:
    return blake2b(repr([_plain(value) for value in values]).encode(), digest_size=DIGEST_BYTES).digest()


def _plain(value: object) -> object:
    """Return a value as expectations have it: numbers alike whatever their type, and what JSON lacks as a text."""
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, Decimal) and value.is_nan():
        return math.nan
    if isinstance(value, Decimal):
        return value if not value.is_finite() or value != value.to_integral_value() else int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _compared(value: object, bound: object) -> tuple[Any, Any] | None:
    """Return two values that can be compared; None where they cannot."""
    if isinstance(value, datetime):
        moment = _moment(bound)
        return None if moment is None else (value, moment)
    if _is_number(value) and _is_number(bound):
        return (value, Decimal(repr(bound)) if isinstance(value, Decimal) else bound)
    return (value, bound) if isinstance(value, str) and isinstance(bound, str) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_among(value: object, choices: Sequence[object]) -> bool:
    return any(
        (value == choice and isinstance(value, bool) == isinstance(choice, bool))
        or (isinstance(value, datetime) and value == _moment(choice))
        or (isinstance(value, Decimal) and _is_number(choice) and value == Decimal(repr(choice)))
        for choice in choices
    )


def _is_least(value: object, bound: object) -> bool:
    pair = _compared(value, bound)
    return pair is not None and bool(pair[0] >= pair[1])


def _is_most(value: object, bound: object) -> bool:
    pair = _compared(value, bound)
    return pair is not None and bool(pair[0] <= pair[1])


_TESTS: Final[Mapping[str, Callable[[object, Any], bool]]] = {
    "not_null": lambda _value, _bound: True,
    "in": _is_among,
    "min": _is_least,
    "max": _is_most,
}


def _object(pointer: str, value: object, names: Sequence[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(pointer, "An object is needed here.")
    members = cast("dict[str, Any]", value)
    for name in members:
        if names is not None and name not in names:
            raise _invalid(f"{pointer}/{name}", f"There is {', '.join(names)}.")
    return members


def _list(pointer: str, value: object) -> list[Any]:
    if not isinstance(value, list | None):
        raise _invalid(pointer, "An array is needed here.")
    return cast("list[Any]", value or [])


def _key(pointer: str, value: object) -> tuple[str, ...]:
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    if not several:
        raise _invalid(pointer, "Fields are needed here.")
    return tuple(_path(pointer, each) for each in several)


def _path(pointer: str, value: object) -> str:
    if not isinstance(value, str) or not is_field_path(value):
        raise _invalid(pointer, "This is no name of a field.")
    return value


def _count(pointer: str, value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _invalid(pointer, "A number of records is needed here.")
    return value


def _is_choices(pointer: str, value: object) -> None:
    if not isinstance(value, list) or not value or not all(map(_is_scalar, cast("list[object]", value))):
        raise _invalid(pointer, "An array of texts, numbers and booleans is needed here.")


def _is_flag(pointer: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _invalid(pointer, "true or false is needed here.")


def _is_bound(pointer: str, value: object) -> None:
    if not _is_scalar(value) or isinstance(value, bool):
        raise _invalid(pointer, "A number, or a text such as a date, is needed here.")


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


_CHECKS: Final[Mapping[str, Callable[[str, object], None]]] = {
    "not_null": _is_flag,
    "unique": _is_flag,
    "in": _is_choices,
    "min": _is_bound,
    "max": _is_bound,
}


def _invalid(pointer: str, detail: str) -> InvalidParameterError:
    where = f"expect{pointer}"
    return InvalidParameterError(f"{where}: {detail}", [Fault("?expect", "invalid", f"{pointer or 'It'}: {detail}")])


def to_json(value: object) -> str:
    """Return what a file expects as the JSON that `parse` takes, dates as texts."""
    return orjson.dumps(value, default=_to_text, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def _to_text(value: object) -> str:
    if isinstance(value, date):
        return str(value)
    raise TypeError
