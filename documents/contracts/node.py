"""Governed schemas, made ready for the walk through documents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from documents.contracts.coercion import COERCIONS, Coercion
from documents.contracts.grammar import ANNOTATIONS, GOVERNED, OURS, bson_type, coercion_target
from documents.contracts.kinds import BY_BSON_TYPE, BY_JSON_TYPE, INT32
from documents.profile.kinds import BINARY, DOUBLE, INT, LONG, UUID, is_uuid
from documents.types import EMPTY

Path: TypeAlias = tuple[str, ...]
IsNamed: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Node:
    """A governed schema.

    Args:
        at: The tokens that lead to it.
        kinds: The BSON types it allows; None for all.
        narrow: Which values of those types it allows; None for all.
        coercion: How other values are read.
        fields: The schemas of the fields that it names; None where it says nothing of fields.
        is_named: Whether a name is one that `patternProperties` names.
        rest: The schema of fields without a name; None where the modes decide.
        required: Fields that there must be.
        items: The schema of elements.
        prefix: Those of the first elements.
    """

    at: Path
    kinds: frozenset[str] | None = None
    narrow: Callable[[object], bool] | None = None
    coercion: Coercion | None = None
    fields: "Mapping[str, Node] | None" = None
    is_named: IsNamed | None = None
    rest: "Node | None" = None
    required: Sequence[str] = ()
    items: "Node | None" = None
    prefix: "Sequence[Node]" = ()
    is_leaf: bool = True
    is_loose: bool = True


ANYTHING: Final = Node(())


def build_root(schema: Mapping[str, Any], is_named: Callable[[Mapping[str, Any]], IsNamed]) -> Node:
    """Return the schema of whole documents. They have an `_id`, whatever it says.

    Args:
        schema: Without faults.
        is_named: Makes the test for names from `patternProperties`.
    """
    named: Mapping[str, Any] = schema.get("properties", {})
    whole: dict[str, Any] = {**schema, "properties": {"_id": {}, **named}}
    return _build(whole, (), is_named)


def _build(schema: object, at: Path, is_named: Callable[[Mapping[str, Any]], IsNamed]) -> Node:
    if not isinstance(schema, dict):
        return ANYTHING if schema else Node(at)  # the rules refuse what `false` does
    members = cast("dict[str, Any]", schema)
    target = coercion_target(members) if members.get("coerce") else None
    fields: Mapping[str, Any] | None = members.get("properties")
    rest = members.get("additionalProperties", fields is None)
    narrow = _narrow(members)
    kinds = kinds_of(members)
    items, prefix = members.get("items"), members.get("prefixItems", ())
    says_fields = fields is not None or rest is not True
    return Node(
        at=at,
        kinds=kinds,
        narrow=narrow,
        coercion=COERCIONS[target] if target else None,
        fields={name: _build(inner, (*at, "properties", name), is_named) for name, inner in (fields or EMPTY).items()}
        if says_fields
        else None,
        is_named=is_named(members["patternProperties"]) if members.get("patternProperties") and says_fields else None,
        rest=_build(rest, (*at, "additionalProperties"), is_named) if rest is not False and says_fields else None,
        required=tuple(dict.fromkeys(members.get("required", ()))),
        items=None if items is None else _build(items, (*at, "items"), is_named),
        prefix=tuple(_build(inner, (*at, "prefixItems", str(index)), is_named) for index, inner in enumerate(prefix)),
        is_leaf=not (says_fields or members.get("required") or isinstance(items, dict) or prefix),
        is_loose=kinds is None,
    )


def kinds_of(schema: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the BSON types that a schema allows: those that both `type` and `bsonType` do; None for all."""
    by_json, by_bson = _union(schema.get("type"), BY_JSON_TYPE), _union(bson_type(schema), BY_BSON_TYPE)
    if by_json is None or by_bson is None:
        return by_bson if by_json is None else by_json
    return by_json & by_bson


def _union(names: Any, known: Mapping[str, frozenset[str]]) -> frozenset[str] | None:  # noqa: ANN401  # JSON
    if names is None:
        return None
    listed: Sequence[str] = [names] if isinstance(names, str) else names
    return frozenset[str]().union(*(known[name] for name in listed))


def _narrow(schema: Mapping[str, Any]) -> Callable[[object], bool] | None:
    """Return the test for what the names of types say beyond the types themselves."""
    stored, plain = set(bson_type(schema) or ()), schema.get("type", ())
    plain = {plain} if isinstance(plain, str) else set(cast("Sequence[str]", plain))
    tests: list[Callable[[Any], bool]] = []
    if INT in stored and not stored & {LONG, "number"}:
        tests.append(lambda value: type(value) is not int or value in INT32)
    if UUID in stored and BINARY not in stored:
        tests.append(lambda value: not isinstance(value, bytes) or is_uuid(value))
    if "integer" in plain and "number" not in plain and (not stored or stored & {DOUBLE, "number"}):
        tests.append(lambda value: type(value) is not float or value.is_integer())
    if not tests:
        return None
    return lambda value: all(test(value) for test in tests)


def rules_of(schema: Any, *, governed: bool = True) -> Any:  # noqa: ANN401  # a schema
    """Return what of a schema is left to JSON Schema's rules, which is what the walk does not judge."""
    if not isinstance(schema, dict):
        return schema
    members = cast("dict[str, Any]", schema)
    kept = {keyword: value for keyword, value in members.items() if keyword not in ANNOTATIONS | OURS}
    if not governed:
        return kept
    for keyword in ("type", "required"):
        kept.pop(keyword, None)
    if kept.get("additionalProperties") is False:
        del kept["additionalProperties"]
    for keyword in GOVERNED & kept.keys():
        kept[keyword] = _each(keyword, kept[keyword])
    return kept


def _each(keyword: str, value: Any) -> Any:  # noqa: ANN401  # schemas
    if keyword == "properties":
        return {name: rules_of(inner) for name, inner in value.items()}
    return [rules_of(inner) for inner in value] if keyword == "prefixItems" else rules_of(value)


def has_rules(schema: Any) -> bool:  # noqa: ANN401  # a schema, as `rules_of` returns it
    """Say whether there is anything in a governed schema that a document could break."""
    if not isinstance(schema, dict):
        return schema is not True
    members = cast("dict[str, Any]", schema)
    for keyword, value in members.items():
        if keyword == "properties":
            if any(map(has_rules, value.values())):
                return True
        elif keyword == "prefixItems":
            if any(map(has_rules, value)):
                return True
        elif keyword in GOVERNED:
            if has_rules(value):
                return True
        elif keyword != "$defs" and not keyword.startswith("x-"):
            return True
    return False
