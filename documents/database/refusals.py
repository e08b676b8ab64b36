"""Why MongoDB does not store a document, as faults that name its fields. Values of the document stay behind.

What it refuses for the sake of an index is told without the field by some codes: their faults point at the whole, and
`documents.collections.pointed` looks at the indexes.

Source:
    MongoDB source, error_codes.yml; MongoDB manual, Schema Validation, errInfo. Messages are those of MongoDB 6.0.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from documents.errors import Fault, InvalidDocumentError
from documents.types import child

NOT_GEOMETRY: Final = "not-geometry"
UNKNOWN_LANGUAGE: Final = "unknown-language"
MAX_FAULTS: Final = 100

_VALIDATOR: Final = 121
_PARALLEL: Final = 171
_HASHED: Final = 16766
_AMBIGUOUS: Final = 16746


def refused_document(code: int, details: Mapping[str, Any]) -> InvalidDocumentError | None:
    """Return the error for a document that MongoDB does not store, or None where the code says something else.

    Args:
        code: MongoDB's number.
        details: Its reply, or its entry in `writeErrors`.
    """
    detail = _DETAILS.get(code)
    if detail is None:
        return None
    return InvalidDocumentError(detail, _FAULTS[code](details)[:MAX_FAULTS] if code in _FAULTS else [])


_DETAILS: Final[Mapping[int, str]] = {
    _VALIDATOR: "The document does not pass the collection's validator in MongoDB.",
    _PARALLEL: "Only one of the fields of an index may be an array in a document.",
    16755: "A location cannot be indexed: it is no valid GeoJSON.",
    13027: "A location cannot be indexed: it is outside the bounds of its index.",
    _HASHED: "A field under a hashed index cannot be an array.",
    _AMBIGUOUS: "An item of an array has a number for a key, which an index takes for a position.",
    17262: "The text index reads a field as the language of the document, and does not know the one that it names.",
    17261: "The text index reads a field as the language of the document, and that is no text.",
    15: "The document is nested too deeply for MongoDB: it takes 180 levels.",
    52: "MongoDB does not store this name of a field: it begins with $.",
    53: "MongoDB takes no array and no regular expression as _id.",
}
"""What is wrong, by MongoDB's number."""


def _parallel(details: Mapping[str, Any]) -> list[Fault]:
    names: list[str] = re.findall(r"\[([^\[\]]+)\]", _message(details))
    return [Fault(child("", name), "parallel-arrays", _DETAILS[_PARALLEL]) for name in sorted(names)]


def _hashed(details: Mapping[str, Any]) -> list[Fault]:
    path = re.search(r"array at path: (\S+)$", _message(details))
    return [Fault(_pointer(path[1]), "array-under-hash", _DETAILS[_HASHED])] if path else []


def _validation(details: Mapping[str, Any]) -> list[Fault]:
    info: Mapping[str, Any] = details.get("errInfo") or {}
    return list(_misfits(info.get("details"), ""))


def _misfits(rule: Any, pointer: str) -> Iterator[Fault]:  # noqa: ANN401  # a part of errInfo, of which nothing is sure
    """Yield the spots that a part of MongoDB's explanation names: the least parts, of which none is below another."""
    if not isinstance(rule, Mapping):
        return
    part = cast("Mapping[str, Any]", rule)
    below = [fault for name, walk in _BELOW.items() if name in part for fault in walk(part[name], pointer)]
    named = part.get("specifiedAs")
    if below:
        yield from below
    elif part.get("operatorName") != "$jsonSchema" and (pointer or isinstance(named, Mapping)):
        path = next((str(key) for key in cast("Mapping[str, Any]", named or {})), "")
        at = pointer if pointer or path.startswith("$") else _pointer(path)
        yield _misfit(at, "The validator wants something else here")


def _each(rules: Any, pointer: str) -> Iterator[Fault]:  # noqa: ANN401  # as above
    for rule in cast("Sequence[Any]", rules if isinstance(rules, list) else [rules]):
        yield from _misfits(rule, pointer)


def _properties(rules: Any, pointer: str) -> Iterator[Fault]:  # noqa: ANN401  # as above
    for rule in rules:
        yield from _each(rule.get("details", []), child(pointer, rule.get("propertyName", "")))


def _named(code: str) -> Callable[[Any, str], Iterator[Fault]]:
    return lambda names, pointer: (_misfit(child(pointer, name), code) for name in names)


_BELOW: Final[Mapping[str, Callable[[Any, str], Iterator[Fault]]]] = {
    "schemaRulesNotSatisfied": _each,
    "propertiesNotSatisfied": _properties,
    "clausesNotSatisfied": lambda clauses, pointer: _each([each.get("details") for each in clauses], pointer),
    "schemasNotSatisfied": lambda schemas, pointer: (
        fault for each in schemas for fault in _each(each.get("details", []), pointer)
    ),
    "details": _each,
    "missingProperties": _named("The validator wants this field"),
    "additionalProperties": _named("The validator knows no such field"),
}
"""What stands in a part of MongoDB's explanation, and how it is read."""


def _misfit(pointer: str, reason: str) -> Fault:
    return Fault(pointer, "validator-failed", f"{reason}.")


def _message(details: Mapping[str, Any]) -> str:
    return str(details.get("errmsg", ""))


def _pointer(path: str) -> str:
    return child("", *path.split("."))


def _whole(code: str, detail: str) -> Callable[[Mapping[str, Any]], list[Fault]]:
    return lambda _: [Fault("", code, detail)]


_LANGUAGE: Final = "A language of MongoDB's text search is needed here, such as en."
_FAULTS: Final[Mapping[int, Callable[[Mapping[str, Any]], list[Fault]]]] = {
    _VALIDATOR: _validation,
    _PARALLEL: _parallel,
    16755: _whole(NOT_GEOMETRY, "A geometry is needed here: GeoJSON, or a pair of longitude and latitude."),
    13027: _whole(NOT_GEOMETRY, "A pair of numbers within the bounds of the index is needed here."),
    _HASHED: _hashed,
    17262: _whole(UNKNOWN_LANGUAGE, _LANGUAGE),
    17261: _whole(UNKNOWN_LANGUAGE, _LANGUAGE),
    53: lambda _: [Fault("/_id", "wrong-type", _DETAILS[53])],
}
