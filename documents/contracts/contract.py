"""Contracts: what the documents of a collection are to be like, set at run time.

A contract is a JSON Schema (2020-12) with BSON types, and says for each way in which a document may not fit what
becomes of it. It judges a document in two passes. The walk goes through the document beside the schema and judges
what the modes are about, on the BSON values themselves: which fields there are, their types, those that are required;
it coerces and discards. Then jsonschema-rs tries all other rules on the plain view of what came out, in which every
value is what plain JSON shows of it.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final, cast

import orjson

from documents.contracts.expectations import Expectations, to_json
from documents.contracts.grammar import BSON_TYPE, find_schema_faults
from documents.contracts.kinds import TO_JSON_TYPE
from documents.contracts.node import Node, build_root, has_rules, rules_of
from documents.contracts.rules import Rules, UnusableSchemaError, find_meta_faults, name_test
from documents.contracts.verdict import TOO_MUCH, Admitted, Lesson, Misfit, Mode, Modes, Rejected
from documents.contracts.walk import Walk
from documents.errors import Fault, InvalidContractError, InvalidParameterError
from documents.types import MISSING, Coerce, Document, child

DEFAULT_NEW_FIELDS: Final = 50
MAX_NEW_FIELDS: Final = 1000
MAX_BYTES: Final = 64 * 1024
MAX_PATHS: Final = 1024
MAX_FAULTS: Final = 100
_MODES: Final[Mapping[str, Sequence[Mode]]] = {
    "fields": tuple(Mode),
    "types": tuple(Mode),
    "required": (Mode.EVOLVE, Mode.FREEZE, Mode.QUARANTINE),
}
_MEMBERS: Final = ("schema", *_MODES, "max_new_fields", "mirror", "expect")


@dataclass(frozen=True)
class Contract:
    """A contract, one version of it. Compiled when it is first used, and kept.

    Args:
        schema: JSON Schema 2020-12 with `bsonType` (or `x-bsonType`) and `coerce`.
        modes: What becomes of what does not fit.
        max_new_fields: How many fields may be learned until the contract is set again.
        mirror: Whether MongoDB validates, too, as far as its `$jsonSchema` can say the same.
        expect: What the records of a load should be together (`Expectations`); None for anything.
        version: From 1 on; 0 for one that is not stored.
        learned_fields: How many have been learned since it was set.
    """

    schema: Mapping[str, Any]
    modes: Modes = field(default_factory=Modes)
    max_new_fields: int = DEFAULT_NEW_FIELDS
    mirror: bool = False
    expect: Mapping[str, Any] | None = None
    version: int = 0
    learned_fields: int = 0

    def admit(self, document: Document, before: Document | None = None) -> Admitted | Rejected:
        """Return the document as it is to be stored, or why it is not to be. Changes and awaits nothing.

        Args:
            document: As Python values, its strings not coerced yet; without `_id`, or with the one it will have.
            before: The stored document that it takes the place of by a patch or an update. What that had already, and
                the new one leaves as it is, is not judged.
        """
        walk = Walk(self.modes, budget=self.max_new_fields - self.learned_fields)
        result = walk.members(self._root, document, MISSING if before is None else before, ())
        misfits = walk.misfits
        if self._rules is not None:
            misfits = [*misfits, *self._broken(self._rules, result, before)]
        if misfits:
            return Rejected(tuple(misfits))
        if walk.lessons or walk.discarded:
            return Admitted(result, tuple(walk.discarded), walk.learned())
        return Admitted(result)

    def _broken(self, rules: Rules, document: Document, before: Document | None) -> list[Misfit]:
        mode = self.modes.rules
        if rules.is_too_much(document):
            detail = "The document has too many values, or too much text, for the rules of the collection's contract."
            return [Misfit("", TOO_MUCH, detail, "rules", mode, "")]
        return [] if rules.hold(document) else rules.misfits(document, before, mode)

    def coerce(self, path: str) -> Coerce | None:
        """Return how values at a dotted path, array positions left out, are read; None where they are not coerced."""
        return self._paths(path)

    def taught(self, lessons: Sequence[Lesson]) -> "Contract":
        """Return the contract after it has learned what it still can of `lessons`; itself where that is nothing.

        The version stays: whoever stores it counts.
        """
        schema = deepcopy(dict(self.schema))
        room = self.max_new_fields - self.learned_fields
        learned = fields = 0
        for lesson in lessons:
            is_field = lesson.kind == "field"
            if (not is_field or fields < room) and _learn(schema, lesson):
                learned += 1
                fields += is_field
        return replace(self, schema=schema, learned_fields=self.learned_fields + fields) if learned else self

    def to_dict(self) -> dict[str, Any]:
        """Return it as `parse_contract` reads it."""
        return {
            "schema": dict(self.schema),
            "fields": str(self.modes.fields),
            "types": str(self.modes.types),
            "required": str(self.modes.required),
            "max_new_fields": self.max_new_fields,
            "mirror": self.mirror,
            **({} if self.expect is None else {"expect": dict(self.expect)}),
        }

    def compiled(self) -> list[Fault]:
        """Make it ready for use, and return what stands in the way."""
        try:
            _ = self._root, self._rules
        except UnusableSchemaError as error:
            return [Fault(child("/schema", *error.path), "not-a-schema", str(error))]
        return []

    @cached_property
    def _root(self) -> Node:
        return build_root(self.schema, name_test)

    @cached_property
    def _rules(self) -> Rules | None:
        rules = rules_of(self.schema)
        return Rules(rules) if has_rules(rules) else None

    @cached_property
    def _paths(self) -> Any:  # noqa: ANN401  # a cached FieldTypes
        return lru_cache(maxsize=MAX_PATHS)(self._resolve)

    def _resolve(self, path: str) -> Coerce | None:
        node: Node | None = self._root
        for segment in path.split("."):
            node = _elements(node)
            if node is None:
                return None
            node = node.fields.get(segment, node.rest) if node.fields is not None else None
        node = _elements(node)
        return node.coercion.read if node is not None and node.coercion is not None else None


def _elements(node: Node | None) -> Node | None:
    """Return the schema of single values: a path into an array means its elements."""
    while node is not None and node.items is not None:
        node = node.items
    return node


def parse_contract(value: object) -> Contract:
    """Read a contract as it is sent: `{"schema", "fields", "types", "required", "max_new_fields", "mirror", "expect"}`.

    All but the schema may be left out. The modes are `freeze` then, so that nothing is changed unasked.

    Args:
        value: JSON.

    Raises:
        InvalidContractError: With a fault for each thing that is wrong.

    Source:
        JSON Schema 2020-12, Core and Validation.
    """
    if not isinstance(value, dict):
        raise _invalid([Fault("", "wrong-type", "A contract is an object.")])
    members = cast("dict[str, Any]", value)
    faults = [
        Fault(child("", key), "unknown-field", f"There is {', '.join(_MEMBERS)}.")
        for key in members
        if key not in _MEMBERS
    ]
    schema = members.get("schema", MISSING)
    faults += [*_schema_faults(schema), *_mode_faults(members), *_limit_faults(members), *_expect_faults(members)]
    if faults:
        raise _invalid(faults)
    contract = Contract(
        schema=cast("Mapping[str, Any]", schema),
        modes=Modes(**{name: Mode(members.get(name, Mode.FREEZE)) for name in _MODES}),
        max_new_fields=members.get("max_new_fields", DEFAULT_NEW_FIELDS),
        mirror=members.get("mirror", False),
        expect=members.get("expect"),
    )
    faults = contract.compiled()
    if faults:
        raise _invalid(faults)
    return contract


def _schema_faults(schema: object) -> list[Fault]:
    if schema is MISSING:
        return [Fault("/schema", "missing", "This is needed; {} allows everything, and names nothing.")]
    try:
        size = len(orjson.dumps(schema))
    except TypeError:  # a number beyond 64 bits, half a surrogate pair, or no JSON at all
        return [Fault("/schema", "not-json", "The schema has a value that JSON, as it is read here, has not.")]
    if size > MAX_BYTES:
        return [Fault("/schema", "too-large", f"The schema takes at most {MAX_BYTES} bytes as JSON.")]
    faults = find_schema_faults(schema, "/schema")
    return faults or find_meta_faults(schema, "/schema")


def _mode_faults(members: Mapping[str, Any]) -> list[Fault]:
    return [
        Fault(child("", name), "unknown-mode", f"{name} is one of {', '.join(allowed)}.")
        for name, allowed in _MODES.items()
        if not isinstance(members.get(name, Mode.FREEZE), str) or members.get(name, Mode.FREEZE) not in allowed
    ]


def _limit_faults(members: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    limit = members.get("max_new_fields", DEFAULT_NEW_FIELDS)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= MAX_NEW_FIELDS:
        faults.append(Fault("/max_new_fields", "out-of-range", f"A whole number from 0 to {MAX_NEW_FIELDS}."))
    if not isinstance(members.get("mirror", False), bool):
        faults.append(Fault("/mirror", "wrong-type", "true or false is needed here."))
    return faults


def _expect_faults(members: Mapping[str, Any]) -> list[Fault]:
    if members.get("expect") is None:
        return []
    try:
        Expectations.parse(to_json(members["expect"]))
    except InvalidParameterError as error:
        return [Fault("/expect", "invalid", fault.detail) for fault in error.faults]
    except TypeError:  # as of a schema
        return [Fault("/expect", "not-json", "It has a value that JSON, as it is read here, has not.")]
    return []


def _invalid(faults: Sequence[Fault]) -> InvalidContractError:
    return InvalidContractError("This cannot be the contract of a collection.", faults[:MAX_FAULTS])


def _learn(schema: dict[str, Any], lesson: Lesson) -> bool:
    """Change a schema as a lesson says; False where it says so already, or has no such place any more."""
    place: Any = schema
    for token in lesson.at:
        try:
            place = cast("list[Any]", place)[int(token)] if isinstance(place, list) else place[token]
        except (KeyError, IndexError, ValueError):
            return False
    return isinstance(place, dict) and _LEARN[lesson.kind](cast("dict[str, Any]", place), lesson)


def _learn_field(schema: dict[str, Any], lesson: Lesson) -> bool:
    fields = schema.setdefault("properties", {})
    if lesson.name in fields:
        return False
    fields[lesson.name] = {"bsonType": lesson.types[0] if len(lesson.types) == 1 else list(lesson.types)}
    return True


def _learn_type(schema: dict[str, Any], lesson: Lesson) -> bool:
    changed = False
    keyword = next((name for name in BSON_TYPE if name in schema), None)
    if keyword is not None:
        changed = _widen(schema, keyword, lesson.types)
    if "type" in schema:
        changed = _widen(schema, "type", [TO_JSON_TYPE[name] for name in lesson.types]) or changed
    return changed


def _widen(schema: dict[str, Any], keyword: str, names: Sequence[str]) -> bool:
    known: list[str] = [schema[keyword]] if isinstance(schema[keyword], str) else list(schema[keyword])
    wider = list(dict.fromkeys([*known, *names]))
    schema[keyword] = wider
    return len(wider) > len(known)


def _learn_required(schema: dict[str, Any], lesson: Lesson) -> bool:
    required: list[str] = schema.get("required", [])
    if lesson.name not in required:
        return False
    schema["required"] = [name for name in required if name != lesson.name]
    return True


_LEARN: Final[Mapping[str, Callable[[dict[str, Any], Lesson], bool]]] = {
    "field": _learn_field,
    "type": _learn_type,
    "required": _learn_required,
}
