"""What a contract asks of fields, as the arguments of a model's fields; and what no model can say of it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, cast

from pydantic import Field, TypeAdapter
from pydantic_core import SchemaError

from documents.profile.literals import literal
from documents.profile.node import ITEMS, VALUES, Path, show_path

_NUMBERS: Final = frozenset({"int", "float"})
_TEXT: Final = frozenset({"str"})
_ARRAY: Final = "list["

_ARGUMENTS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "minimum": ("ge", _NUMBERS),
    "exclusiveMinimum": ("gt", _NUMBERS),
    "maximum": ("le", _NUMBERS),
    "exclusiveMaximum": ("lt", _NUMBERS),
    "minLength": ("min_length", _TEXT),
    "maxLength": ("max_length", _TEXT),
    "pattern": ("pattern", _TEXT),
    "minItems": ("min_length", frozenset({_ARRAY})),
    "maxItems": ("max_length", frozenset({_ARRAY})),
}
"""Keywords that Pydantic has an argument for, and the types that take it."""

_SAID_BY_TYPES: Final = frozenset({"type", "bsonType", "x-bsonType", "coerce"})
_PROSE: Final = frozenset({"$schema", "$id", "title", "description", "examples", "default", "$comment"})


class ContractRules:
    """The rules of a contract, by the paths that a profile has.

    Args:
        schema: The contract's; None for no contract, and so no rules.
    """

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self._rules: Final = dict(_rules(schema or {}, ()))
        self._required: Final = {path for path, keyword in self._rules if keyword == "required"}
        self._carried: set[tuple[Path, str]] = set()

    def is_required(self, path: Path) -> bool:
        """Say whether a field must be there."""
        if (path, "required") not in self._rules:
            return False
        self._carried.add((path, "required"))
        return True

    def annotate(self, path: Path, annotation: str) -> str:
        """Return the type of a field: of an enum, its values."""
        values = self._rules.get((path, "enum"))
        if not isinstance(values, list) or not _is_plain(cast("list[object]", values)):
            return annotation
        if not _types_of(annotation) <= {"str", "int", "bool"}:
            return annotation
        self._carried.add((path, "enum"))
        named = [value for value in cast("list[object]", values) if value is not None]
        is_nullable = len(named) < len(cast("list[object]", values)) or "None" in annotation.split(" | ")
        return f"Literal[{', '.join(map(_written, named))}]{' | None' if is_nullable else ''}"

    def arguments(self, path: Path, annotation: str) -> list[str]:
        """Return the arguments of a field, as `ge=0`."""
        types = _types_of(annotation)
        found: list[str] = []
        for keyword, (argument, takes) in _ARGUMENTS.items():
            value = self._rules.get((path, keyword))
            if _is_argument(keyword, value) and types and types <= takes:
                self._carried.add((path, keyword))
                found.append(f"{argument}={_written(value)}")
        return found

    def left(self) -> list[str]:
        """Return the rules that were carried into no field, as `price: multipleOf`."""
        return sorted(
            f"{show_path(path) if path else 'the document'}: {keyword}"
            for path, keyword in self._rules
            if (path, keyword) not in self._carried
        )


def _rules(schema: Mapping[str, Any], path: Path) -> Iterator[tuple[tuple[Path, str], Any]]:
    for keyword, value in schema.items():
        match keyword, value:
            case "properties", dict():
                for name, inner in cast("dict[str, Any]", value).items():
                    yield from _rules_of(inner, (*path, name))
            case "items", dict():
                yield from _rules(cast("dict[str, Any]", value), (*path, ITEMS))
            case "additionalProperties", dict():
                yield from _rules(cast("dict[str, Any]", value), (*path, VALUES))
            case "required", list():
                for name in cast("list[str]", value):
                    yield ((*path, name), "required"), True
            case _:
                if keyword not in _SAID_BY_TYPES and keyword not in _PROSE and value is not True:
                    yield (path, keyword), value


def _rules_of(schema: object, path: Path) -> Iterator[tuple[tuple[Path, str], Any]]:
    if isinstance(schema, dict):
        yield from _rules(cast("dict[str, Any]", schema), path)


def _types_of(annotation: str) -> set[str]:
    members = {member for member in annotation.split(" | ") if member != "None"}
    return {_ARRAY if member.startswith(_ARRAY) else member for member in members}


def _is_plain(values: list[object]) -> bool:
    return bool(values) and all(value is None or isinstance(value, str | bool | int) for value in values)


def _is_argument(keyword: str, value: object) -> bool:
    if keyword == "pattern":
        return isinstance(value, str) and _is_pattern(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pattern(text: str) -> bool:
    """Say whether Pydantic can search with a pattern, which JSON Schema writes in another dialect."""
    try:
        TypeAdapter(Annotated[str, Field(pattern=text)])
    except SchemaError:
        return False
    return True


def _written(value: object) -> str:
    return literal(value) if isinstance(value, str) else repr(value)
