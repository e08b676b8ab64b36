"""Python types for what a profile has seen, and the imports that they need."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from documents.profile import kinds
from documents.profile.report import Field

ANY: Final = "Any"
WIDEST: Final = 56
"""Characters of an annotation that leave room for the longest name on a line of 120."""

_SCALARS: Final = (
    # Texts come first: where two types of a union fit equally well, Pydantic takes the first, and a text is one.
    (kinds.STRING, "str"),
    (kinds.BOOL, "bool"),
    (kinds.INT, "int"),
    (kinds.LONG, "int"),
    (kinds.DOUBLE, "float"),
    (kinds.DECIMAL, "DecimalAnnotation"),
    (kinds.OBJECTID, "PydanticObjectId"),
    (kinds.UUID, "UUID"),
    (kinds.DATE, "Moment"),
    (kinds.BINARY, "bytes"),
)
_TYPED: Final = frozenset({*(kind for kind, _ in _SCALARS), kinds.OBJECT, kinds.ARRAY, kinds.NULL})

MODULES: Final = {
    "copy": "copy",
    "Any": "typing",
    "ClassVar": "typing",
    "Literal": "typing",
    "UUID": "uuid",
    "DecimalAnnotation": "beanie",
    "Document": "beanie",
    "PydanticObjectId": "beanie",
    "DatetimeMS": "bson.datetime_ms",
    "Timestamp": "bson.timestamp",
    "BaseModel": "pydantic",
    "ConfigDict": "pydantic",
    "Field": "pydantic",
    "Moment": "documents.models.fields",
}
"""Where each name is imported from; modules in the order in which Ruff wants them."""

_GROUPS: Final = (("copy", "typing", "uuid"), ("beanie", "bson.datetime_ms", "bson.timestamp", "pydantic"))


@dataclass(slots=True)
class Annotator:
    """Chooses Python types, and remembers which names they use.

    Args:
        embed: Returns the class for the objects of a field, by its name; None where a dict must do.
    """

    embed: Callable[[Field], str | None]
    used: set[str] = field(default_factory=set[str])

    def annotate(self, seen: Field) -> str:
        """Return the type of a path's values: a union where there are several, with None if there are nulls."""
        members = self._members(seen)
        if len(" | ".join(members)) > WIDEST:
            members = [_widened(member) for member in members]
        annotation = " | ".join(dict.fromkeys(members))
        if len(annotation) > WIDEST or ANY in members:
            annotation = ANY
        self.used.update(name for name in MODULES if name in annotation.replace("[", " ").replace("]", " ").split())
        return annotation

    def _members(self, seen: Field) -> list[str]:
        if not is_typed(seen):
            return [ANY]
        members = [name for kind, name in _SCALARS if kind in seen.types]
        if kinds.ARRAY in seen.types:
            members.append(f"list[{ANY if seen.items is None else self.annotate(seen.items)}]")
        if kinds.OBJECT in seen.types:
            members.append(self._object(seen))
        if kinds.NULL in seen.types:
            members.append("None")
        return members if members != ["None"] else [ANY]

    def _object(self, seen: Field) -> str:
        if seen.values is not None:
            return f"dict[str, {self.annotate(seen.values)}]"
        return self.embed(seen) or f"dict[str, {ANY}]"


def is_typed(seen: Field) -> bool:
    """Say whether Python has types, and Pydantic reads them, for all values of a path."""
    if not seen.types or not _TYPED.issuperset(seen.types):
        return False
    if seen.odd.keys() & {kinds.DATE, kinds.BINARY, kinds.DECIMAL} or _has_infinite_decimals(seen):
        return False
    # `bson` reads an object with a $ref as a DBRef, which no model takes.
    return all(inner.name != "$ref" for inner in seen.fields)


def render_imports(used: set[str]) -> str:
    """Return the import statements for names, in the order that Ruff wants."""
    groups = (*_GROUPS, ("documents.models.fields",))
    blocks = ["\n".join(_imports(module, used) for module in group if _names(module, used)) for group in groups]
    return "\n\n".join(block for block in blocks if block)


def _imports(module: str, used: set[str]) -> str:
    return f"from {module} import {', '.join(_names(module, used))}"


def _names(module: str, used: set[str]) -> list[str]:
    return sorted(name for name in used if MODULES[name] == module)


def _widened(member: str) -> str:
    for generic in ("list[", "dict[str, "):
        if member.startswith(generic):
            return f"{generic}{ANY}]"
    return member


def _has_infinite_decimals(seen: Field) -> bool:
    return any(number.is_infinite() for number, _ in seen.bounds.get(kinds.DECIMAL, ()))
