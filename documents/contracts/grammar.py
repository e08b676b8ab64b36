"""Which schemas a contract may have: an allow-list of JSON Schema's keywords, and where the ones of BSON may stand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from documents.codec.tree import containers
from documents.contracts.coercion import COERCIONS
from documents.contracts.kinds import BY_BSON_TYPE
from documents.errors import Fault
from documents.profile.kinds import NULL
from documents.query.regex.parser import UnsafeRegexError
from documents.query.regex.pattern import check_regex
from documents.types import child

MAX_DEPTH: Final = 32
"""Levels of schemas inside schemas."""

MAX_LEVELS: Final = 100
"""Levels of schemas inside schemas, those behind each `$ref` counted with the one that it stands in."""

MAX_WEIGHT: Final = 5000
"""Schemas in a contract, those behind each `$ref` counted again."""

MAX_TRIES: Final = 100
"""Schemas that one value of a document may have to be tried against. Combinations add up; the schemas of different
fields do not, since each is for a value of its own. jsonschema-rs takes some 0.1 µs for each."""

MAX_CHOICES: Final = 100
"""Arrays and objects in an `enum`, which are compared one by one, as other values are not."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
BSON_TYPE: Final = ("bsonType", "x-bsonType")
DEFINITIONS: Final = "#/$defs/"

ONE: Final = frozenset({"items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"})
SEVERAL: Final = frozenset({"prefixItems", "allOf", "anyOf", "oneOf"})
NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema"}
)
RULES: Final = frozenset(
    {"enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength"}
    | {"maxLength", "pattern", "format", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems"}
    | {"minProperties", "maxProperties", "dependentRequired", "$ref"}
)
OURS: Final = frozenset({*BSON_TYPE, "coerce"})
KEYWORDS: Final = ONE | SEVERAL | NAMED | ANNOTATIONS | RULES | OURS | {"type", "required"}

APART: Final = frozenset({"properties", "items", "prefixItems", "additionalProperties"})
"""What these hold is for different values."""

GOVERNED: Final = frozenset({"properties", "items", "prefixItems", "additionalProperties"})
"""The ways from a governed schema to others: in those, fields, types and required fields are for the modes to judge,
and BSON types are known. In all others the rules of JSON Schema judge the plain view."""


def find_schema_faults(schema: object, pointer: str) -> list[Fault]:
    """Return what is wrong with the schema of a contract, apart from what the meta-schema says.

    Args:
        schema: As it was sent.
        pointer: Where.
    """
    return list(_Reader(schema).faults(schema, pointer, depth=1, governed=True))


def count_trials(schema: object) -> int:
    """Return against how many schemas and choices of an `enum` each value of a document may have to be tried."""
    return _Reader(schema).trials(schema)


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield each schema directly inside another one: by which keyword, the tokens that lead there, and itself."""
    for keyword, value in schema.items():
        if keyword in ONE:
            yield keyword, (keyword,), value
        elif keyword in SEVERAL and isinstance(value, list):
            items = cast("list[Any]", value)
            yield from ((keyword, (keyword, str(index)), item) for index, item in enumerate(items))
        elif keyword in NAMED and isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            yield from ((keyword, (keyword, name), item) for name, item in members.items())


def bson_type(schema: Mapping[str, Any]) -> Sequence[str] | None:
    """Return the names of the BSON types that a schema allows, or None where it names none."""
    named = next((schema[keyword] for keyword in BSON_TYPE if keyword in schema), None)
    return [named] if isinstance(named, str) else named


class _Reader:
    """Reads one schema."""

    def __init__(self, root: object) -> None:
        defined = cast("Mapping[str, Any]", root).get("$defs") if isinstance(root, dict) else None
        self._defined: Mapping[str, Any] = cast("Mapping[str, Any]", defined) if isinstance(defined, dict) else {}
        self._weights: dict[str, int] = {}
        self._tries: dict[str, int] = {}
        self._heights: dict[str, int] = {}
        self._level = 0
        self._leads: dict[str, set[str]] = {}
        self._open: set[str] = set()

    def faults(self, schema: object, pointer: str, *, depth: int, governed: bool) -> Iterator[Fault]:
        if isinstance(schema, bool) and depth > 1:
            return
        if not isinstance(schema, dict):
            yield Fault(pointer, "wrong-type", "A schema is an object.")
            return
        if depth > MAX_DEPTH:
            yield Fault(pointer, "too-deep", f"Schemas nest {MAX_DEPTH} levels deep at most.")
            return
        members = cast("dict[str, Any]", schema)
        yield from self._own_faults(members, pointer, governed=governed, is_root=depth == 1)
        for keyword, tokens, inner in subschemas(members):
            inherits = governed and keyword in GOVERNED
            yield from self.faults(inner, child(pointer, *tokens), depth=depth + 1, governed=inherits)
        if depth == 1:
            yield from self._size_faults(members, pointer)

    def _size_faults(self, members: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
        if self._height(members) > MAX_LEVELS:  # first, as the others go down as far
            yield Fault(pointer, "too-deep", f"With what is behind its references it nests over {MAX_LEVELS} levels.")
        elif self._weigh(members) > MAX_WEIGHT:
            yield Fault(pointer, "too-large", f"With what is behind its references it has over {MAX_WEIGHT} schemas.")
        elif self._tried(members) > MAX_TRIES:
            yield Fault(pointer, "too-large", f"A value would have to be tried against over {MAX_TRIES} schemas.")

    def _own_faults(self, schema: Mapping[str, Any], pointer: str, *, governed: bool, is_root: bool) -> Iterator[Fault]:
        for keyword in schema:
            if keyword not in KEYWORDS and not keyword.startswith("x-"):
                yield Fault(child(pointer, keyword), "unknown-keyword", "This keyword is not known here.")
        yield from _place_faults(schema, pointer, governed=governed, is_root=is_root)
        yield from _type_faults(schema, pointer)
        yield from _pattern_faults(schema, pointer)
        choices = schema.get("enum")
        if isinstance(choices, list) and len(containers(cast("list[object]", choices))) > MAX_CHOICES:
            yield Fault(child(pointer, "enum"), "too-large", f"It has over {MAX_CHOICES} arrays and objects.")
        if "$ref" in schema:
            yield from self._reference_faults(schema["$ref"], child(pointer, "$ref"))

    def _reference_faults(self, reference: object, pointer: str) -> Iterator[Fault]:
        name = _definition(reference)
        if name is None or name not in self._defined:
            yield Fault(pointer, "unknown-reference", "A reference leads to a member of $defs: #/$defs/name.")
        elif self._is_circular(name):
            yield Fault(pointer, "circular-reference", "A schema may not lead back to itself.")

    def _is_circular(self, name: str) -> bool:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            new = self._leads_to(waiting.pop()) - seen
            if name in new:
                return True
            seen |= new
            waiting += new
        return False

    def _leads_to(self, name: str) -> set[str]:
        if name not in self._leads:
            self._leads[name] = set(_references(self._defined.get(name)))
        return self._leads[name]

    def _height(self, schema: object) -> int:
        """Return how many levels there are in a schema, with those behind its references; no more than it takes."""
        if not isinstance(schema, dict):
            return 1
        if self._level > MAX_LEVELS:
            return MAX_LEVELS + 1
        members = cast("dict[str, Any]", schema)
        self._level += 1
        heights = [self._height(inner) for _, _, inner in subschemas(members)]
        name = _definition(members.get("$ref"))
        if name is not None:
            heights.append(self._once(name, self._heights, self._height))
        self._level -= 1
        return 1 + max(heights, default=0)

    def _weigh(self, schema: object) -> int:
        """Return how many schemas there are in one, with those behind its references."""
        if not isinstance(schema, dict):
            return 1
        members = cast("dict[str, Any]", schema)
        weight = 1 + sum(self._weigh(inner) for _, _, inner in subschemas(members))
        name = _definition(members.get("$ref"))
        return weight if name is None else weight + self._weight_of(name)

    def _weight_of(self, name: str) -> int:
        return self._once(name, self._weights, self._weigh)

    def _tried(self, schema: object) -> int:
        """Return how many schemas a value, or one inside it, may have to be tried against."""
        if not isinstance(schema, dict):
            return 1
        members = cast("dict[str, Any]", schema)
        tries, apart = 1, 0
        for keyword, _, inner in subschemas(members):
            if keyword in APART:
                apart = max(apart, self._tried(inner))
            elif keyword != "$defs":
                tries += self._tried(inner)
        name = _definition(members.get("$ref"))
        return tries + apart + (0 if name is None else self._once(name, self._tries, self._tried))

    def trials(self, schema: object) -> int:
        """Return how often a value may be tried. One that only the schemas of single fields concern: once."""
        if not isinstance(schema, dict):
            return 1
        members = cast("dict[str, Any]", schema)
        within = [(keyword in APART, inner) for keyword, _, inner in subschemas(members) if keyword != "$defs"]
        apart = max((self.trials(inner) for is_apart, inner in within if is_apart), default=1)
        name = _definition(members.get("$ref"))
        behind = 0 if name is None else self.trials(self._defined.get(name))
        return (
            apart + behind + _choices(members) + sum(self.trials(inner) for is_apart, inner in within if not is_apart)
        )

    def _once(self, name: str, known: dict[str, int], count: Callable[[object], int]) -> int:
        """Return what `count` says of a definition, which is asked once."""
        if name not in known:
            if name in self._open:
                return 0  # leads back to itself, which is a fault of its own
            self._open.add(name)
            known[name] = count(self._defined.get(name))
            self._open.discard(name)
        return known[name]


def _place_faults(schema: Mapping[str, Any], pointer: str, *, governed: bool, is_root: bool) -> Iterator[Fault]:
    if "$defs" in schema and not is_root:
        yield Fault(child(pointer, "$defs"), "misplaced", "Definitions stand at the top of the schema.")
    for keyword in ("type", *BSON_TYPE) if is_root else ():
        if schema.get(keyword, "object") not in ("object", ["object"]):
            yield Fault(child(pointer, keyword), "wrong-type", "A document is an object.")
    if schema.get("$schema", DIALECT) != DIALECT:
        yield Fault(child(pointer, "$schema"), "unknown-dialect", f"The dialect is {DIALECT}.")
    if governed:
        return
    for keyword in OURS & schema.keys():
        detail = "BSON types are not known inside combinations, references and patterns; name them in the field itself."
        yield Fault(child(pointer, keyword), "misplaced", detail)


def _type_faults(schema: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    spelled = [keyword for keyword in BSON_TYPE if keyword in schema]
    if len(spelled) > 1:
        yield Fault(child(pointer, spelled[1]), "duplicate", "bsonType and x-bsonType are two names of one keyword.")
    if spelled and not _is_type_list(schema[spelled[0]]):
        detail = f"A type, or a list of different ones, of {', '.join(sorted(BY_BSON_TYPE))}."
        yield Fault(child(pointer, spelled[0]), "unknown-type", detail)
        return
    coerce = schema.get("coerce", False)
    if not isinstance(coerce, bool):
        yield Fault(child(pointer, "coerce"), "wrong-type", "true or false is needed here.")
    elif coerce and coercion_target(schema) is None:
        detail = f"To coerce needs one bsonType (and null, perhaps) of {', '.join(sorted(COERCIONS))}."
        yield Fault(child(pointer, "coerce"), "not-coercible", detail)


def coercion_target(schema: Mapping[str, Any]) -> str | None:
    """Return the one type that values can be coerced to."""
    targets = set(bson_type(schema) or ()) - {NULL}
    return targets.pop() if len(targets) == 1 and targets <= COERCIONS.keys() else None


def _is_type_list(value: object) -> bool:
    if isinstance(value, str):
        return value in BY_BSON_TYPE
    if not isinstance(value, list) or not value:
        return False
    names = cast("list[object]", value)
    return all(isinstance(name, str) and name in BY_BSON_TYPE for name in names) and len(set(names)) == len(names)


def _pattern_faults(schema: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    found = [(("pattern",), schema.get("pattern"))]
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        found += [(("patternProperties", name), name) for name in cast("dict[str, Any]", named)]
    for tokens, pattern in found:
        if isinstance(pattern, str):
            try:
                check_regex(pattern)
            except UnsafeRegexError as error:
                yield Fault(child(pointer, *tokens), "unsafe-regex", str(error))


def _definition(reference: object) -> str | None:
    """Return the name in `$defs` that a reference leads to."""
    if not isinstance(reference, str) or not reference.startswith(DEFINITIONS):
        return None
    name = reference.removeprefix(DEFINITIONS)
    return None if "/" in name or "%" in name or "~" in name else name


def _choices(schema: Mapping[str, Any]) -> int:
    """Return how many arrays and objects a value is compared with, one by one."""
    named = schema.get("enum")
    choices = [*cast("list[object]", named if isinstance(named, list) else []), schema.get("const")]
    return len(containers(choices))


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        members = cast("dict[str, Any]", schema)
        name = _definition(members.get("$ref"))
        if name is not None:
            yield name
        for _, _, inner in subschemas(members):
            yield from _references(inner)
